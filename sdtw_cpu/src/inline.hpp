// What is to be inlined, and what not.
#pragma once

#if defined(SDTW_INLINE)
// Given to the compiler: sanitizers take long where all is inlined.
#define SDTW_NOINLINE
#define SDTW_UNROLL
#elif defined(_MSC_VER)
#define SDTW_INLINE __forceinline
#define SDTW_NOINLINE __declspec(noinline)
#define SDTW_UNROLL
#else
#define SDTW_INLINE inline __attribute__((always_inline))
#define SDTW_NOINLINE __attribute__((noinline))
#define SDTW_UNROLL _Pragma("GCC unroll 16")
#endif
