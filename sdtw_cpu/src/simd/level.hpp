// The vectors of the instruction set that kernels.cpp is compiled for.
#pragma once

#define SDTW_STR_(a) #a
#define SDTW_STR(a) SDTW_STR_(a)
// clang-format off
#define SDTW_LEVEL_FILE SDTW_STR(simd/SDTW_ISA.hpp)
// clang-format on
#include SDTW_LEVEL_FILE
