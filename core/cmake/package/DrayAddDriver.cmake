# SPDX-License-Identifier: Apache-2.0
# dray_add_driver(NAME SOURCES a.c ... [LIBRARIES target ...]): the module NAME.so, target
# driver_NAME, built as a driver has to be: everything hidden but the entry function, every symbol
# resolved when it is linked and again when it is loaded, never unloaded. To install it:
#
#     install(TARGETS driver_NAME LIBRARY DESTINATION "${dray_DRIVER_DIR}")
function(dray_add_driver name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "dray_add_driver: '${name}' is no name for a driver: a-z 0-9 _, a letter "
      "first")
  endif()
  if(NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "dray_add_driver(${name}): write it as "
      "dray_add_driver(NAME SOURCES a.c ... [LIBRARIES target ...])")
  endif()
  add_library(driver_${name} MODULE ${ARG_SOURCES})
  target_link_libraries(driver_${name} PRIVATE dray::driver ${ARG_LIBRARIES})
  set_target_properties(driver_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name})
endfunction()
