// What is to be inlined, and what not.
#pragma once

#if defined(_MSC_VER)
#define SDTW_INLINE __forceinline
#define SDTW_NOINLINE __declspec(noinline)
#define SDTW_UNROLL
#else
#define SDTW_INLINE inline __attribute__((always_inline))
#define SDTW_NOINLINE __attribute__((noinline))
#define SDTW_UNROLL _Pragma("GCC unroll 16")
#endif
