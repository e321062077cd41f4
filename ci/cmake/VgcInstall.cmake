# Installs the header, both libraries, a CMake package (vgc::vgc, vgc::vgc_static) and vgc.pc. Nothing installed holds the
# prefix, so the tree may be moved.
include(CMakePackageConfigHelpers)

install(TARGETS vgc_shared vgc_static EXPORT vgc-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES include/vgc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vgc)
install(EXPORT vgc-targets NAMESPACE vgc:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/ci/cmake/vgc-config.cmake.in vgc-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(vgc-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vgc-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/vgc-config-version.cmake
        DESTINATION ${package_dir})

# pkg-config knows where a .pc file lies; from there it is as many steps up to the prefix as the path is deep.
file(RELATIVE_PATH pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")
configure_file(${PROJECT_SOURCE_DIR}/ci/cmake/vgc.pc.in vgc.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vgc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
