# SPDX-License-Identifier: Apache-2.0
# libltdl has neither a pkg-config file nor a CMake module of its own. Gives LTDL::LTDL.
find_path(LTDL_INCLUDE_DIR ltdl.h)
find_library(LTDL_LIBRARY ltdl)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LTDL DEFAULT_MSG LTDL_LIBRARY LTDL_INCLUDE_DIR)
if(LTDL_FOUND AND NOT TARGET LTDL::LTDL)
  add_library(LTDL::LTDL UNKNOWN IMPORTED)
  set_target_properties(LTDL::LTDL PROPERTIES
    IMPORTED_LOCATION "${LTDL_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${LTDL_INCLUDE_DIR}")
endif()
mark_as_advanced(LTDL_INCLUDE_DIR LTDL_LIBRARY)
