# The kinds of target that heed is made of. Each is made twice from the same objects: as what is
# shipped (a shared library or a module with hidden symbols), and as a static archive from which
# the unit tests link, so that they reach internal functions.

# All C files below FOLDERS of the current source directory.
function(heed_sources out)
  set(globs "")
  foreach(folder IN LISTS ARGN)
    list(APPEND globs "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.c")
  endforeach()
  file(GLOB_RECURSE found CONFIGURE_DEPENDS ${globs})
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# Enters every FOLDER/NAME that holds a CMakeLists.txt.
function(heed_add_folders)
  foreach(folder IN LISTS ARGN)
    file(GLOB lists CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*/CMakeLists.txt")
    foreach(list IN LISTS lists)
      get_filename_component(dir "${list}" DIRECTORY)
      add_subdirectory("${dir}")
    endforeach()
  endforeach()
endfunction()

# heed_objects(<name> SOURCES ... INCLUDES ... LIBRARIES ...): the objects heed_<name>_objects and
# the static archive heed_<name>.
function(heed_objects name)
  cmake_parse_arguments(arg "" "" "SOURCES;INCLUDES;LIBRARIES" ${ARGN})
  add_library(heed_${name}_objects OBJECT ${arg_SOURCES})
  target_include_directories(heed_${name}_objects PUBLIC ${arg_INCLUDES})
  target_link_libraries(heed_${name}_objects PUBLIC heed_options Threads::Threads ${arg_LIBRARIES}
                                                    m ${CMAKE_DL_LIBS})
  target_link_libraries(heed_${name}_objects PRIVATE heed_warnings)
  add_library(heed_${name} STATIC $<TARGET_OBJECTS:heed_${name}_objects>)
  target_include_directories(heed_${name} PUBLIC ${arg_INCLUDES})
  target_link_libraries(heed_${name} PUBLIC heed_options Threads::Threads ${arg_LIBRARIES} m
                                            ${CMAKE_DL_LIBS})
endfunction()

# heed_plugin(<name> [SERVICE] SOURCES ... INCLUDES ... LIBRARIES ...):
# build/lib/heed/plugins-1/<name>.so, built against plugins/include alone, linked to nothing of
# ours. With SERVICE it goes to the folder services below, which is not loaded until an operator
# asks for it.
function(heed_plugin name)
  cmake_parse_arguments(arg "SERVICE" "" "SOURCES;INCLUDES;LIBRARIES" ${ARGN})
  set(below "")
  if(arg_SERVICE)
    set(below "/services")
  endif()
  if(NOT arg_SOURCES)
    message(STATUS "heed: plugin ${name} has no source yet")
    return()
  endif()
  heed_objects(
    ${name} SOURCES ${arg_SOURCES} LIBRARIES ${arg_LIBRARIES}
    INCLUDES "${PROJECT_SOURCE_DIR}/plugins/include" "${CMAKE_CURRENT_SOURCE_DIR}"
             ${arg_INCLUDES})
  add_library(heed_plugin_${name} MODULE)
  target_link_libraries(heed_plugin_${name} PRIVATE heed_${name}_objects)
  target_link_options(heed_plugin_${name} PRIVATE ${HEED_LINK_STRICT} -Wl,--exclude-libs,ALL)
  set_target_properties(
    heed_plugin_${name}
    PROPERTIES OUTPUT_NAME ${name}
               PREFIX ""
               LIBRARY_OUTPUT_DIRECTORY "${HEED_PLUGIN_DIR}${below}"
               INSTALL_RPATH_USE_LINK_PATH ON
               INSTALL_RPATH "")
  add_dependencies(programs heed_plugin_${name})
  set(folder "${CMAKE_INSTALL_LIBDIR}/${HEED_PLUGIN_SUBDIR}${below}")
  install(TARGETS heed_plugin_${name} LIBRARY DESTINATION "${folder}")
endfunction()
