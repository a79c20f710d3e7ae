# SPDX-License-Identifier: Apache-2.0
# sidekiq_push.rb JOBS: waits for a worker, pushes in batches of 1000, waits until all are taken, and
# prints jobs a second.
require_relative 'sidekiq_job'
require 'sidekiq/api'

BATCH = 1000
TEXT = 'x' * 98

def wait_until_empty(queue)
  deadline = clock + 60
  until queue.size.zero?
    abort 'Sidekiq takes no jobs' if clock > deadline
    sleep 0.005
  end
end

def clock
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

jobs = Integer(ARGV.fetch(0))
queue = Sidekiq::Queue.new
Nothing.perform_async(TEXT)
wait_until_empty(queue)
begun = clock
left = jobs
while left.positive?
  n = [left, BATCH].min
  Sidekiq::Client.push_bulk('class' => Nothing, 'args' => Array.new(n) { [TEXT] })
  left -= n
end
wait_until_empty(queue)
puts (jobs / (clock - begun)).round
