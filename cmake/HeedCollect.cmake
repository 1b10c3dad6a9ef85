# heed_collect: a table written from a folder's content.
#
#   heed_collect(<out-var> <table> <element type> <prefix> LISTS|ITEMS <header> <folder>)
#
# Every FOLDER/**/NAME.c that defines <prefix>NAME is listed in the generated <table>.c:
#   ITEMS  one element a file:     const pass_def pass_fold = {...}             -> &pass_fold
#   LISTS  a NULL-ended array:     const op_def *const ops_unary[] = {..., NULL} -> ops_unary
# The element type is the declared one ("const pass_def", "const op_def *const"), and <header> is
# included for it. A file that does not define its symbol (helpers) is not listed, so there is
# nothing to register by hand. <out-var> gets the path of the generated file.
#
# The file is written at build time by collect.cmake. Its inputs are the files of the folder and a
# list of their names, so adding, removing or editing one is seen without a manual re-configure.

set(HEED_COLLECT_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/collect.cmake")

function(heed_collect out table type prefix form header folder)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.c")
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/generated/${table}.c")
  set(names "${CMAKE_CURRENT_BINARY_DIR}/generated/${table}.txt")
  list(JOIN files "\n" text)
  file(CONFIGURE OUTPUT "${names}" CONTENT "${text}" @ONLY)
  add_custom_command(
    OUTPUT "${generated}"
    COMMAND
      "${CMAKE_COMMAND}" "-DOUT=${generated}" "-DNAMES=${names}" "-DTABLE=${table}" "-DTYPE=${type}"
      "-DPREFIX=${prefix}" "-DFORM=${form}" "-DHEADER=${header}" -P "${HEED_COLLECT_SCRIPT}"
    DEPENDS "${names}" "${HEED_COLLECT_SCRIPT}" ${files}
    COMMENT "Collecting ${table} from ${folder}"
    VERBATIM)
  set(${out} "${generated}" PARENT_SCOPE)
endfunction()

# heed_embed(<out-var> <name> <file>): the bytes of a file as `const unsigned char name[]` and
# `const size_t name_size`, in a generated source whose path is the result.
set(HEED_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/embed.cmake")

function(heed_embed out name file)
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/generated/${name}.c")
  set(source "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  add_custom_command(
    OUTPUT "${generated}"
    COMMAND "${CMAKE_COMMAND}" "-DIN=${source}" "-DOUT=${generated}" "-DNAME=${name}" -P
            "${HEED_EMBED_SCRIPT}"
    DEPENDS "${source}" "${HEED_EMBED_SCRIPT}"
    COMMENT "Embedding ${file}"
    VERBATIM)
  set(${out} "${generated}" PARENT_SCOPE)
endfunction()
