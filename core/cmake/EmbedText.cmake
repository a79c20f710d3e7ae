# SPDX-License-Identifier: Apache-2.0
# cmake -DOUTPUT=FILE.c -DSYMBOL=NAME -P EmbedText.cmake INPUT...: a C file with the texts of the
# inputs as arrays of bytes, each ended by a zero: `const struct embedded_text NAME[]`.
set(arrays "")
set(rows "")
set(n 0)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE 3 ${last})
  set(arg "${CMAKE_ARGV${i}}")
  if(arg STREQUAL "-P" OR arg MATCHES "EmbedText.cmake$" OR arg MATCHES "^-D")
    continue()
  endif()
  file(READ "${arg}" hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  get_filename_component(name "${arg}" NAME)
  string(APPEND arrays "static const unsigned char text_${n}[] = {\n${hex}0};\n\n")
  string(APPEND rows "    {\"${name}\", (const char *)text_${n}},\n")
  math(EXPR n "${n} + 1")
endforeach()
file(WRITE "${OUTPUT}"
  "/* SPDX-License-Identifier: Apache-2.0 */\n"
  "#include \"embedded_text.h\"\n#include <stddef.h>\n\n"
  "${arrays}"
  "const struct embedded_text ${SYMBOL}[] = {\n${rows}    {NULL, NULL},\n};\n")
