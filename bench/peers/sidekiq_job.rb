# SPDX-License-Identifier: Apache-2.0
# A job that does nothing. The worker's log of each job is off, as nobody reads it here.
require 'sidekiq'

class Nothing
  include Sidekiq::Worker

  def perform(text); end
end

Sidekiq.configure_server { |config| config.logger.level = Logger::ERROR }
