# Script part of heed_collect (see HeedCollect.cmake): reads the source files named in NAMES and
# writes the table OUT.

file(STRINGS "${NAMES}" files)
set(externs "")
set(rows "")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME_WE)
  string(REGEX REPLACE "^${PREFIX}" "" name "${name}")
  set(symbol "${PREFIX}${name}")
  if(FORM STREQUAL "LISTS")
    file(STRINGS "${file}" found LIMIT_COUNT 1 REGEX "(^|[ *])${symbol}\\[[^]]*\\][ \t]*=")
    set(extern "extern ${TYPE} ${symbol}[];\n")
    set(row "    ${symbol},\n")
  else()
    file(STRINGS "${file}" found LIMIT_COUNT 1 REGEX "(^|[ *])${symbol}[ \t]*=")
    set(extern "extern ${TYPE} ${symbol};\n")
    set(row "    &${symbol},\n")
  endif()
  if(found)
    string(APPEND externs "${extern}")
    string(APPEND rows "${row}")
  endif()
endforeach()

file(WRITE "${OUT}" "/* Written by cmake/collect.cmake from the files of a folder; do not edit. */
#include <stddef.h>

#include \"${HEADER}\"

${externs}
extern ${TYPE} *const ${TABLE}[];
${TYPE} *const ${TABLE}[] = {
${rows}    NULL,
};
")
