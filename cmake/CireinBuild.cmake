# How the folders of src/ become libraries, and how everything in the project is compiled.

add_library(cirein_options INTERFACE)
target_compile_options(cirein_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor
  -Woverloaded-virtual -Wold-style-cast -Wcast-align -Wformat=2
  -Wimplicit-fallthrough -fno-semantic-interposition)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(cirein_options INTERFACE -Wthread-safety)
elseif(CMAKE_UNITY_BUILD)
  # It takes the sources of a unity build for headers, whose unnamed types others would see, too.
  target_compile_options(cirein_options INTERFACE -Wno-subobject-linkage)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # gcc 12 sees overlapping copies in std::string's operator+ that are not there (PR 105651).
  target_compile_options(cirein_options INTERFACE -Wno-restrict)
endif()
if(CIREIN_WERROR)
  target_compile_options(cirein_options INTERFACE -Werror)
endif()
if(CIREIN_SANITIZE)
  add_compile_options(-fsanitize=${CIREIN_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # clang 14 cannot put what the one check needs before a coroutine. The other looks through a pipe
    # at what it checks, and takes it for wrong where no descriptor is left.
    add_compile_options(-fno-sanitize=function,vptr)
  elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code looks to gcc as if it used what it has not set; its manual warns of that.
    target_compile_options(cirein_options INTERFACE -Wno-maybe-uninitialized)
    # The thread sanitizer does not see fences. What ours put in order are atomics, which it sees.
    target_compile_options(cirein_options INTERFACE -Wno-tsan)
  endif()
  add_link_options(-fsanitize=${CIREIN_SANITIZE})
endif()
if(CIREIN_BUILD_FUZZ)
  # The fuzzer is led by what the code under test does, so all of it is instrumented.
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "libFuzzer comes with clang; next: cmake --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without the names of folders in what is looked up, clones of the project build from one cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    ${CCACHE_PROGRAM})
endif()

# cirein_folder(NAME DEPENDS ...): the sources below src/NAME (all but main.cc), or below NAME if it
# stands beside src, become the library cirein_NAME.
function(cirein_folder name)
  cmake_parse_arguments(arg "" "" "DEPENDS" ${ARGN})
  set(root ${PROJECT_SOURCE_DIR}/src)
  if(NOT EXISTS ${root}/${name})
    set(root ${PROJECT_SOURCE_DIR})
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${root}/${name}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(cirein_${name} STATIC ${sources})
  target_include_directories(cirein_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${root}>)
  target_link_libraries(cirein_${name} PUBLIC ${arg_DEPENDS} PRIVATE cirein_options)
  set_target_properties(cirein_${name} PROPERTIES CIREIN_DEPENDENCIES "${arg_DEPENDS}")
endfunction()

# cirein_folder_uses(NAME LIBRARY...): further libraries of a folder, which not every build has.
function(cirein_folder_uses name)
  target_link_libraries(cirein_${name} PUBLIC ${ARGN})
  set_property(TARGET cirein_${name} APPEND PROPERTY CIREIN_DEPENDENCIES ${ARGN})
endfunction()

# cirein_library(FOLDER...): the shared library that users link, made of the folders' objects. Its
# public headers need only the standard library, so nothing else is passed on to the user.
function(cirein_library)
  # What a program tells of itself says which library it uses.
  set_source_files_properties(${PROJECT_SOURCE_DIR}/src/http/status_server.cc
    TARGET_DIRECTORY cirein_http PROPERTIES COMPILE_DEFINITIONS
    "CIREIN_VERSION=\"${PROJECT_VERSION}\"")
  add_library(cirein SHARED)
  add_library(cirein::cirein ALIAS cirein)
  add_custom_target(cirein_product DEPENDS cirein COMMENT "What users install: the library, the command")
  foreach(name IN LISTS ARGN)
    target_sources(cirein PRIVATE $<TARGET_OBJECTS:cirein_${name}>)
    get_target_property(dependencies cirein_${name} CIREIN_DEPENDENCIES)
    list(FILTER dependencies EXCLUDE REGEX "^cirein_")
    target_link_libraries(cirein PRIVATE ${dependencies})
  endforeach()
  target_include_directories(cirein PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(cirein PUBLIC cxx_std_20)
  set_target_properties(cirein PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endfunction()

# cirein_command(FOLDER): src/FOLDER/main.cc becomes the command CIREIN_BIN_DIR/cirein.
function(cirein_command folder)
  # For this one file only, so that a new commit compiles nothing else anew.
  execute_process(COMMAND git describe --always --dirty WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/src/${folder}/build_info.cc
    TARGET_DIRECTORY cirein_${folder} PROPERTIES COMPILE_DEFINITIONS
    "CIREIN_VERSION=\"${PROJECT_VERSION}\";CIREIN_COMMIT=\"${commit}\"")
  add_executable(cirein_command ${PROJECT_SOURCE_DIR}/src/${folder}/main.cc)
  target_link_libraries(cirein_command PRIVATE cirein_${folder} cirein_options)
  set_target_properties(cirein_command PROPERTIES
    ENABLE_EXPORTS ON  # So that stacks have names.
    OUTPUT_NAME cirein RUNTIME_OUTPUT_DIRECTORY ${CIREIN_BIN_DIR})
  add_dependencies(cirein_product cirein_command)
endfunction()

# cirein_compiled_apart(SOURCE...): sources of this directory that no unity build puts together with
# others, because names of their own are others' names, too.
function(cirein_compiled_apart)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
