# SPDX-License-Identifier: Apache-2.0
# What others build with: the CMake package and the pkg-config file. Both find the rest from where
# they are, so an installation can be moved as a whole.
include(CMakePackageConfigHelpers)

if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  message(FATAL_ERROR "CMAKE_INSTALL_LIBDIR and CMAKE_INSTALL_INCLUDEDIR have to be relative to the "
    "prefix: the installed files find each other that way")
endif()

file(STRINGS ${PROJECT_SOURCE_DIR}/include/dray/driver.h DRAY_DRIVER_ABI
  REGEX "^#define DRAY_ABI [0-9]+u")
string(REGEX REPLACE "^#define DRAY_ABI ([0-9]+)u.*" "\\1" DRAY_DRIVER_ABI "${DRAY_DRIVER_ABI}")
if(NOT DRAY_DRIVER_ABI MATCHES "^[0-9]+$")
  message(FATAL_ERROR "include/dray/driver.h does not define DRAY_ABI as expected")
endif()

set(package_source ${CMAKE_CURRENT_LIST_DIR}/package)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/dray)
file(RELATIVE_PATH DRAY_PREFIX_FROM_PC "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" DRAY_PREFIX_FROM_PC "${DRAY_PREFIX_FROM_PC}")

configure_file(${package_source}/dray.pc.in ${CMAKE_BINARY_DIR}/package/dray.pc @ONLY)
configure_package_config_file(${package_source}/drayConfig.cmake.in
  ${CMAKE_BINARY_DIR}/package/drayConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS DRAY_INSTALL_DRIVER_DIR)
# Until 1.0 a new minor version may change the interfaces.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/drayConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)

install(EXPORT drayTargets NAMESPACE dray:: DESTINATION ${package_dir})
install(FILES
  ${package_source}/DrayAddDriver.cmake
  ${CMAKE_BINARY_DIR}/package/drayConfig.cmake
  ${CMAKE_BINARY_DIR}/package/drayConfigVersion.cmake
  DESTINATION ${package_dir})
install(FILES ${CMAKE_BINARY_DIR}/package/dray.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

foreach(page dray.1 dray-config.5 dray-driver.7)
  string(REGEX REPLACE ".*\\." "" section ${page})
  install(FILES ${PROJECT_SOURCE_DIR}/docs/man/${page}
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

# cpack -G DEB, in a build folder with -DCMAKE_INSTALL_PREFIX=/usr: one Debian package of it all.
set(CPACK_PACKAGE_NAME dray)
set(CPACK_PACKAGE_CONTACT "The Dray developers <dray@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${DRAY_LIB_DIR})
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${package_source}/triggers)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
