# SPDX-License-Identifier: Apache-2.0
# The kinds of things that are built here, one function each.

# dray_add_driver(NAME SOURCES a.c ... [LIBRARIES target ...]): a driver as a shared object in the
# driver folder, made of public headers and drivers/common alone, exporting its entry function only.
function(dray_add_driver name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_library(driver_${name} MODULE ${ARG_SOURCES})
  target_include_directories(driver_${name} PRIVATE ${PROJECT_SOURCE_DIR}/drivers)
  target_link_libraries(driver_${name} PRIVATE dray::driver ${ARG_LIBRARIES})
  set_target_properties(driver_${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${DRAY_DRIVER_DIR})
  install(TARGETS driver_${name} LIBRARY DESTINATION ${DRAY_INSTALL_DRIVER_DIR})
endfunction()

# dray_add_test(NAME SOURCES a.c ... [LABELS l ...] [ARGS a ...] [LIBRARIES target ...]
# [TIMEOUT s]): a cmocka program with the core's internals visible, run by ctest.
function(dray_add_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LABELS;ARGS;LIBRARIES" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_include_directories(test_${name} PRIVATE
    ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/core ${PROJECT_SOURCE_DIR}/drivers)
  target_link_libraries(test_${name} PRIVATE ${ARG_LIBRARIES} test_parts dray_internal PkgConfig::CMOCKA)
  set_target_properties(test_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
  dray_register_test(${name} COMMAND test_${name} ${ARG_ARGS}
    LABELS ${ARG_LABELS} TIMEOUT ${ARG_TIMEOUT})
endfunction()

# dray_register_test(NAME COMMAND ... [LABELS l ...] [TIMEOUT s]): anything that ctest runs. The
# environment tells tests where the build's drivers, programs and sources are. A test that cannot run
# on this machine says why and exits with 77. The label `single`: one thread in each process, as far
# as the test is about it, so that the thread sanitizer has nothing to find.
function(dray_register_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "COMMAND;LABELS" ${ARGN})
  add_test(NAME ${name} COMMAND ${ARG_COMMAND})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(DRAY_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 3")
  endif()
  set_tests_properties(${name} PROPERTIES
    LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "DRAY_DRIVER_PATH=${DRAY_DRIVER_DIR};DRAY_BIN=${DRAY_BIN_DIR};DRAY_BUILD=${CMAKE_BINARY_DIR};DRAY_SOURCE=${PROJECT_SOURCE_DIR};DRAY_SANITIZE=${DRAY_SANITIZE}")
endfunction()
