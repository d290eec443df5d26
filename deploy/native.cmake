# Read by CMake after `project(llama_cpp)`: what the native engine leaves out of llama.cpp, so that it compiles in two minutes.
# The package insists on the `common` library by a cache entry, which an ordinary variable outweighs (policy CMP0126).
set(LLAMA_BUILD_COMMON OFF)

# 150 small files, one per architecture, spend their time on the same headers: compile a dozen at a time.
function(unite_architectures)
  get_target_property(sources llama SOURCES)
  foreach(source ${sources})
    if(NOT source MATCHES "models/")
      set_source_files_properties(${source} TARGET_DIRECTORY llama PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
  set_target_properties(llama PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
endfunction()
cmake_language(DEFER CALL unite_architectures)
