# check_headers: each header compiles alone, so whoever includes one needs to know nothing about
# the others. Public headers are compiled with nothing but include/ on the path, as users have it.

# cirein_check_headers(TARGET ROOT PATTERN...): one translation unit for each header below ROOT.
function(cirein_check_headers target root)
  set(patterns ${ARGN})
  list(TRANSFORM patterns PREPEND "${root}/")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${root} ${patterns})
  set(sources "")
  foreach(header IN LISTS headers)
    set(source ${PROJECT_BINARY_DIR}/${target}/${header}.cc)
    # Included twice, so that a missing include guard shows as well.
    file(GENERATE OUTPUT ${source} CONTENT "#include \"${header}\"\n#include \"${header}\"\n")
    list(APPEND sources ${source})
  endforeach()
  if(NOT sources)
    return()
  endif()
  add_library(${target} OBJECT EXCLUDE_FROM_ALL ${sources})
  target_link_libraries(${target} PRIVATE cirein_options)
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
  add_dependencies(check_headers ${target})
endfunction()

add_custom_target(check_headers COMMENT "Every header compiles alone")
cirein_check_headers(check_public_headers ${PROJECT_SOURCE_DIR}/include "*.h")
if(TARGET check_public_headers)
  target_include_directories(check_public_headers PRIVATE ${PROJECT_SOURCE_DIR}/include)
endif()
cirein_check_headers(check_simulation_headers ${PROJECT_SOURCE_DIR} "simulation/*.h")
if(TARGET check_simulation_headers)
  target_link_libraries(check_simulation_headers PRIVATE cirein_simulation)
endif()
cirein_check_headers(check_private_headers ${PROJECT_SOURCE_DIR}/src "*.h")
if(TARGET check_private_headers)
  # cli is the last folder: it knows the libraries of all others.
  target_link_libraries(check_private_headers PRIVATE cirein_cli)
endif()
