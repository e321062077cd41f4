# interleave_program and interleave_instrument: for this project and, installed beside the CMake package, for any other.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(INTERLEAVE_DIR ${CMAKE_CURRENT_LIST_DIR} CACHE INTERNAL "objects.py and its lists")

# With -g, whatever the build type: a report without lines says little.
# Copies of constant size must not be expanded in line: that would call nobody.
set(INTERLEAVE_FLAGS -g -fsanitize=thread -ftls-model=initial-exec -fno-stack-protector -fno-builtin-memcpy
    -fno-builtin-memmove -fno-builtin-memset -fno-omit-frame-pointer CACHE INTERNAL "")
# A token names the build: no path of this machine may be in it.
set(INTERLEAVE_PATHS -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=.
    CACHE INTERNAL "")
# gcc warns that its own runtime knows no fences; this one does.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND INTERLEAVE_FLAGS -Wno-tsan)
endif()
list(APPEND INTERLEAVE_FLAGS ${INTERLEAVE_PATHS})
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  list(APPEND INTERLEAVE_FLAGS "SHELL:-mllvm -tsan-instrument-read-before-write=1")
endif()

# interleave_instrument(target): compiles an object library for OBJECTS of interleave_program. Position-independent, if
# it uses variables of libc's loader: the program would hold a copy that stays as it was at the start.
function(interleave_instrument target)
  target_compile_options(${target} PRIVATE ${INTERLEAVE_FLAGS})
  target_include_directories(${target} PRIVATE $<TARGET_PROPERTY:vgc::interleave,INTERFACE_INCLUDE_DIRECTORIES>)
endfunction()

# interleave_program(NAME name SOURCES file... [OBJECTS target...]): a program whose models are those of its sources.
function(interleave_program)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;OBJECTS")
  add_library(${arg_NAME}_objects OBJECT ${arg_SOURCES})
  interleave_instrument(${arg_NAME}_objects)
  target_compile_options(${arg_NAME}_objects PRIVATE -fno-pie)
  if(TARGET vgc_flags)
    target_link_libraries(${arg_NAME}_objects PRIVATE vgc_flags)
  endif()
  set(objects $<TARGET_OBJECTS:${arg_NAME}_objects>)
  foreach(library IN LISTS arg_OBJECTS)
    list(APPEND objects $<TARGET_OBJECTS:${library}>)
  endforeach()
  set(joined ${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}.joined.o)
  set(tables ${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}.tables.c)
  add_custom_command(
    OUTPUT ${joined} ${tables}
    COMMAND ${Python3_EXECUTABLE} ${INTERLEAVE_DIR}/objects.py --output ${joined} --tables ${tables} ${objects}
    DEPENDS ${objects} ${INTERLEAVE_DIR}/objects.py ${INTERLEAVE_DIR}/wrapped.txt ${INTERLEAVE_DIR}/allowed.txt
    COMMAND_EXPAND_LISTS VERBATIM)
  add_executable(${arg_NAME} ${tables} ${joined})
  set_source_files_properties(${joined} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  target_include_directories(${arg_NAME} PRIVATE ${INTERLEAVE_DIR})
  target_compile_options(${arg_NAME} PRIVATE -fno-pie ${INTERLEAVE_PATHS})
  target_link_libraries(${arg_NAME} PRIVATE vgc::interleave ${CMAKE_DL_LIBS})
  # The same addresses in every process, and a build id for tokens to name.
  target_link_options(${arg_NAME} PRIVATE -no-pie -Wl,--build-id -Wl,-z,now)
  if(TARGET vgc_flags) # a program of this tree, which ci/repro finds
    target_link_options(${arg_NAME} PRIVATE -Wl,--defsym=interleave_has_repro=1)
  endif()
  set_target_properties(${arg_NAME} PROPERTIES LINKER_LANGUAGE C POSITION_INDEPENDENT_CODE OFF)
endfunction()
