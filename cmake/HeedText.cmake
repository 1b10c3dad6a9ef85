# heed_text_plugin(<name> <what is lacking without it>): a service of the C files of this folder
# that needs PCRE2 (regular expressions) and libutf8proc (Unicode); without them it is not built.
function(heed_text_plugin name lacking)
  find_path(HEED_PCRE2_INCLUDE pcre2.h)
  find_library(HEED_PCRE2_LIBRARY pcre2-8)
  find_path(HEED_UTF8PROC_INCLUDE utf8proc.h)
  find_library(HEED_UTF8PROC_LIBRARY utf8proc)
  foreach(part IN ITEMS PCRE2_INCLUDE PCRE2_LIBRARY UTF8PROC_INCLUDE UTF8PROC_LIBRARY)
    if(NOT HEED_${part})
      message(STATUS "heed: plugin ${name} is not built: it needs libpcre2-dev and "
                     "libutf8proc-dev; ${lacking}")
      return()
    endif()
  endforeach()
  heed_sources(sources .)
  heed_plugin(${name} SERVICE SOURCES ${sources} LIBRARIES "${HEED_PCRE2_LIBRARY}"
                                                         "${HEED_UTF8PROC_LIBRARY}")
  foreach(target IN ITEMS heed_${name}_objects heed_${name})
    target_include_directories(${target} SYSTEM PUBLIC "${HEED_PCRE2_INCLUDE}"
                                                       "${HEED_UTF8PROC_INCLUDE}")
  endforeach()
endfunction()
