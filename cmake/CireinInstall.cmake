# What `cmake --install` puts in place: the library, its headers, the command with its completion, a
# CMake package (find_package(cirein) gives cirein::cirein) and a pkg-config file. All of it may be
# moved elsewhere afterwards.
include(CMakePackageConfigHelpers)

install(TARGETS cirein EXPORT cirein-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/cirein
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/CITATION.cff
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cirein)
install(EXPORT cirein-targets NAMESPACE cirein:: DESTINATION ${package_dir} COMPONENT development)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/cirein-config.cmake.in
  ${PROJECT_BINARY_DIR}/cirein-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cirein-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cirein-config.cmake
  ${PROJECT_BINARY_DIR}/cirein-config-version.cmake
  DESTINATION ${package_dir} COMPONENT development)

# The prefix is found from where the file lies, unless directories outside the prefix were asked for.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
  set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
  set(pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
  file(RELATIVE_PATH to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" to_prefix "${to_prefix}")
  set(pc_prefix "\${pcfiledir}/${to_prefix}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/cirein.pc.in ${PROJECT_BINARY_DIR}/cirein.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cirein.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

if(TARGET cirein_command)
  install(TARGETS cirein_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
  if(NOT CMAKE_CROSSCOMPILING)
    # The command prints its own completion, so that it cannot fall behind the verbs.
    set(completion ${PROJECT_BINARY_DIR}/completion/cirein)
    install(CODE "
      file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/completion)
      execute_process(COMMAND \"$<TARGET_FILE:cirein_command>\" completion bash
        OUTPUT_FILE \"${completion}\" COMMAND_ERROR_IS_FATAL ANY)"
      COMPONENT runtime)
    install(FILES ${completion}
      DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT runtime)
  endif()
endif()
