# Install rules: headers, a pkg-config file, a find_package file. Targets name their own.

install(DIRECTORY core/include/heed plugins/include/heed DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.h")

# From the file's own place, so that it is right for every --prefix.
file(RELATIVE_PATH up "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" /prefix)
string(REGEX REPLACE "/$" "" HEED_PC_PREFIX "\${pcfiledir}/${up}")
configure_file(cmake/heed.pc.in heed.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/heed.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

if(TARGET libheed)
  include(CMakePackageConfigHelpers)
  write_basic_package_version_file(heed-config-version.cmake COMPATIBILITY SameMajorVersion)
  install(EXPORT heed NAMESPACE heed:: FILE heed-config.cmake
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/heed")
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/heed-config-version.cmake"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/heed")
endif()
