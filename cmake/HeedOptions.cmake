# Options, warnings, hardening. Everything is carried by two interface targets:
#   heed_options   what every file of ours is compiled and linked with
#   heed_warnings  the warnings; generated and third-party code does without

option(HEED_WERROR "Treat warnings as errors and undefined symbols as link errors (./check)" OFF)
option(HEED_FUZZ "Build the libFuzzer targets of tests/fuzz (clang only)" OFF)
set(HEED_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=, e.g. address,undefined")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # for __builtin_* and POSIX; -Wpedantic keeps the syntax standard
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_RELEASE "-O3 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g3 -fno-omit-frame-pointer -DHEED_DEBUG=1")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# build/heed, build/lib/libheed.so, build/lib/heed/plugins-1/*.so: the shape of an install, so that
# the library finds its plugins in the same way before and after one.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/archive")
set(HEED_PLUGIN_SUBDIR heed/plugins-1)
set(HEED_PLUGIN_DIR "${CMAKE_BINARY_DIR}/lib/${HEED_PLUGIN_SUBDIR}")
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")

find_package(Threads REQUIRED)

add_library(heed_warnings INTERFACE)
target_compile_options(
  heed_warnings
  INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
            -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wundef -Wvla -Wformat=2
            -Wwrite-strings -Wimplicit-fallthrough -Wdouble-promotion
            $<$<BOOL:${HEED_WERROR}>:-Werror>)

add_library(heed_options INTERFACE)
target_compile_definitions(heed_options INTERFACE _GNU_SOURCE HEED_VERSION="${PROJECT_VERSION}")
target_compile_options(heed_options INTERFACE -fno-math-errno -fno-trapping-math)

# Adds FLAG to every target of ours if the compiler knows it.
include(CheckCCompilerFlag)
function(heed_flag_if_known flag)
  string(MAKE_C_IDENTIFIER "HEED_HAS${flag}" known)
  check_c_compiler_flag("${flag}" ${known})
  if(${known})
    target_compile_options(heed_options INTERFACE "${flag}")
  endif()
endfunction()

if(HEED_SANITIZE)
  set(sanitize -fsanitize=${HEED_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(heed_options INTERFACE ${sanitize})
  target_link_options(heed_options INTERFACE ${sanitize})
else()
  heed_flag_if_known(-fstack-protector-strong)
  heed_flag_if_known(-fstrict-flex-arrays=3)
  target_link_options(heed_options INTERFACE -Wl,-z,relro -Wl,-z,now)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    # Level 3 needs a recent compiler and C library; both fall back by themselves when older.
    target_compile_options(heed_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  endif()
endif()
if(HEED_WERROR AND NOT HEED_SANITIZE)
  set(HEED_LINK_STRICT -Wl,-z,defs)
endif()
