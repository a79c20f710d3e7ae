# SPDX-License-Identifier: Apache-2.0
# cmake -DNAME=array -DINPUTS=a;b -DOUTPUT=out.c -P embed.cmake: texts as one array of bytes.
set(bytes "")
foreach(input ${INPUTS})
  file(READ ${input} hex HEX)
  string(APPEND bytes ${hex})
endforeach()
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
  bytes "${bytes}")
file(WRITE ${OUTPUT}
  "extern const unsigned char ${NAME}[];\nextern const unsigned long ${NAME}_size;\n"
  "const unsigned char ${NAME}[] = {\n${bytes}0};\n"
  "const unsigned long ${NAME}_size = sizeof(${NAME}) - 1;\n")
