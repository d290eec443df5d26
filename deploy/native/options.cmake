# Read by CMake after `project(llama_cpp)`: what the native engine leaves out of llama.cpp, so that it compiles in two minutes,
# and the routine that it replaces.
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

# Ours takes llama.cpp's name, and calls llama.cpp's under the new one.
function(replace_gemm)
  get_target_property(sources ggml-cpu SOURCES)
  get_target_property(folder ggml-cpu SOURCE_DIR)
  if(NOT sources MATCHES "arch/x86/repack.cpp")
    return()
  endif()
  target_sources(ggml-cpu PRIVATE ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/gemm_q4_0.cpp)
  foreach(source ${sources})
    if(source MATCHES "arch/x86/repack.cpp")
      set_source_files_properties(${folder}/${source} TARGET_DIRECTORY ggml-cpu PROPERTIES
        COMPILE_DEFINITIONS ggml_gemm_q4_0_8x8_q8_0=ggml_gemm_q4_0_8x8_q8_0_upstream)
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL replace_gemm)
