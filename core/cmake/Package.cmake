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
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Dray keeps jobs - a type and a JSON payload - until a worker has run them,
tries again what fails, and keeps what gave up where a person can look at it.
Where jobs are kept is one line of configuration: memory, a file, SQLite,
Redis, or a driver of one's own.
.
This package has the library, its headers, the drivers and the command.")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY "=")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${DRAY_LIB_DIR})
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${package_source}/triggers)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${package_source}/debian.cmake)
set(CPACK_DRAY_SOURCE ${PROJECT_SOURCE_DIR})

# Who answers for the package: as Debian's own tools ask, else whoever the source is from.
set(DRAY_MAINTAINER "" CACHE STRING "NAME <ADDRESS> for the Debian package")
if(DRAY_MAINTAINER)
  set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${DRAY_MAINTAINER}")
elseif(NOT "$ENV{DEBEMAIL}" STREQUAL "")
  set(CPACK_DEBIAN_PACKAGE_MAINTAINER "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
else()
  execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} log -1 "--format=%an <%ae>"
    OUTPUT_VARIABLE CPACK_DEBIAN_PACKAGE_MAINTAINER OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(CPACK_DEBIAN_PACKAGE_MAINTAINER STREQUAL "")
  set(CPACK_DEBIAN_PACKAGE_MAINTAINER "DRAY_MAINTAINER is unset <unknown@localhost>")
endif()
set(CPACK_PACKAGE_CONTACT "${CPACK_DEBIAN_PACKAGE_MAINTAINER}")
include(CPack)
