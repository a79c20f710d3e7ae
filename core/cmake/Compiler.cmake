# SPDX-License-Identifier: Apache-2.0
# Language, warnings, hardening and sanitizers: the same for everything that is built here.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wwrite-strings -Wcast-qual
  -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wmissing-declarations
  -Wold-style-definition -Wredundant-decls -Wvla -Wformat=2 -Wimplicit-fallthrough
  -Wdouble-promotion -Wnull-dereference
  -Werror=implicit-function-declaration -Werror=incompatible-pointer-types
  -Werror=int-conversion
  -fno-semantic-interposition)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wlogical-op -Wduplicated-cond -Wjump-misses-init -Wrestrict)
endif()
if(DRAY_WERROR)
  add_compile_options(-Werror)
endif()

if(DRAY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(DRAY_SANITIZE)
  add_compile_options(-fsanitize=${DRAY_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${DRAY_SANITIZE})
else()
  add_compile_options(-fstack-protector-strong -fstack-clash-protection)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_definitions(_FORTIFY_SOURCE=2)
  endif()
  add_link_options(-Wl,-z,relro,-z,now)
endif()
