// What the kernels ask of the device beyond C++ and the CUDA built-ins
// threadIdx, blockIdx, gridDim, __syncthreads, __syncwarp, __any_sync,
// __all_sync, __ballot_sync, __ffs and the __shfl_*_sync.
#pragma once

constexpr unsigned kAllLanes = 0xffffffffu;

#define SDTW_DEVICE __device__ __forceinline__
#define SDTW_KERNEL extern "C" __global__
// Threads of a block, and how many blocks registers must be left for.
#define SDTW_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define SDTW_UNROLL _Pragma("unroll")
#define SDTW_UNROLL_BY(n) SDTW_UNROLL_BY_(unroll n)
#define SDTW_UNROLL_BY_(x) _Pragma(#x)

// Pointers into global and into shared memory.
template <class T>
using Global = T*;
template <class T>
using Shared = T*;

// The same memory, as numbers of another type.
template <class U, class T>
SDTW_DEVICE Global<U> cast(Global<T> p) {
  return reinterpret_cast<U*>(p);
}

// The block's shared memory, aligned to 16 bytes. Called once in a kernel.
template <int kBytes>
SDTW_DEVICE Shared<char> shared_memory() {
  __shared__ double2 memory[(kBytes + 15) / 16];
  return reinterpret_cast<char*>(memory);
}

// The next `count` elements of shared memory; moves `at` past them.
template <class T>
SDTW_DEVICE Shared<T> take(Shared<char>& at, int count) {
  T* p = reinterpret_cast<T*>(at);
  at += count * (int)sizeof(T);
  return p;
}

// Four neighbours, the first at a multiple of four from an aligned start; in
// global or in shared memory.
SDTW_DEVICE void load4(Shared<const float> p, float* to) {
  const float4 v = *reinterpret_cast<const float4*>(p);
  to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
}
SDTW_DEVICE void load4(Shared<const double> p, double* to) {
  const double2 a = reinterpret_cast<const double2*>(p)[0];
  const double2 b = reinterpret_cast<const double2*>(p)[1];
  to[0] = a.x, to[1] = a.y, to[2] = b.x, to[3] = b.y;
}

SDTW_DEVICE void store4(float* p, const float* v) {
  *reinterpret_cast<float4*>(p) = make_float4(v[0], v[1], v[2], v[3]);
}
SDTW_DEVICE void store4(double* p, const double* v) {
  reinterpret_cast<double2*>(p)[0] = make_double2(v[0], v[1]);
  reinterpret_cast<double2*>(p)[1] = make_double2(v[2], v[3]);
}

// The same of global memory, which would be torn into four otherwise.
SDTW_DEVICE void write4(Global<float> p, const float* v) {
  __stcg(reinterpret_cast<float4*>(p), make_float4(v[0], v[1], v[2], v[3]));
}
SDTW_DEVICE void write4(Global<double> p, const double* v) { store4(p, v); }

// The same of global memory that the kernel does not write.
SDTW_DEVICE void fetch4(Global<const float> p, float* to) {
  const float4 v = __ldg(reinterpret_cast<const float4*>(p));
  to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
}
SDTW_DEVICE void fetch4(Global<const double> p, double* to) {
  const double2 a = __ldg(reinterpret_cast<const double2*>(p));
  const double2 b = __ldg(reinterpret_cast<const double2*>(p) + 1);
  to[0] = a.x, to[1] = a.y, to[2] = b.x, to[3] = b.y;
}
// Whether `fetch4` may read at a pointer.
SDTW_DEVICE bool is_aligned(const void* p) {
  return (reinterpret_cast<unsigned long long>(p) & 15) == 0;
}

SDTW_DEVICE int to_bits(float a) { return __float_as_int(a); }
SDTW_DEVICE float from_bits(int a) { return __int_as_float(a); }
SDTW_DEVICE long long to_bits(double a) { return __double_as_longlong(a); }
SDTW_DEVICE double from_bits(long long a) { return __longlong_as_double(a); }

// To the nearest integer, ties to even; the ends of int beyond them.
SDTW_DEVICE int round_to_int(float a) { return __float2int_rn(a); }

// a * b + c, rounded once.
SDTW_DEVICE float fused(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}
SDTW_DEVICE double fused(double a, double b, double c) {
  return __fma_rn(a, b, c);
}

// Results that are never contracted with another operation.
SDTW_DEVICE float product(float a, float b) { return __fmul_rn(a, b); }
SDTW_DEVICE double product(double a, double b) { return __dmul_rn(a, b); }
SDTW_DEVICE float sum(float a, float b) { return __fadd_rn(a, b); }
SDTW_DEVICE double sum(double a, double b) { return __dadd_rn(a, b); }

// 1 / a to within two units in the last place, a normal and not huge.
SDTW_DEVICE float reciprocal(float a) {
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(a));
  return r;
}
SDTW_DEVICE double reciprocal(double a) { return __drcp_rn(a); }

// 1 / sqrt(a) to within two units in the last place, a normal.
SDTW_DEVICE float inverse_root(float a) {
  float r;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(a));
  return r;
}

// --- Between the blocks of one launch ---

// Add one to a counter and return what it was.
SDTW_DEVICE int draw(Global<int> counter) { return atomicAdd(counter, 1); }

// The same, and everything that blocks wrote until the barrier before they
// drew is there for those that draw later. Called by one thread of the block,
// followed by a barrier.
SDTW_DEVICE int draw_in_turn(Global<int> counter) {
  int before;
  asm volatile("atom.acq_rel.gpu.global.add.s32 %0, [%1], 1;"
               : "=r"(before)
               : "l"(counter)
               : "memory");
  return before;
}

// Raise *p to `value`; non-negative doubles, or NaN, which is above all.
SDTW_DEVICE void raise(Global<double> p, double value) {
  atomicMax(reinterpret_cast<unsigned long long*>(p),
            (unsigned long long)__double_as_longlong(value));
}

// Raise *p to `value`.
SDTW_DEVICE void raise(Global<unsigned> p, unsigned value) {
  atomicMax(p, value);
}
SDTW_DEVICE void raise(Global<unsigned long long> p,
                       unsigned long long value) {
  atomicMax(p, value);
}

// A number that another block of this launch may write, or reads. To volatile
// memory these are single accesses of their own, as relaxed ones are.
template <class T>
SDTW_DEVICE T load_relaxed(const T* p) {
  return *(const volatile T*)p;
}
template <class T>
SDTW_DEVICE void store_relaxed(T* p, T v) {
  *(volatile T*)p = v;
}

// Begin to bring a line of 128 bytes from memory to the cache of all blocks.
SDTW_DEVICE void prefetch(Global<const char> p) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(p));
}

// The same number for each lane of a whole warp. The compiler holds it from
// here on, where it would compute it again in every loop to save a register.
template <class N>
SDTW_DEVICE N held(N a) {
  return __shfl_sync(kAllLanes, a, threadIdx.x);
}

// Leave the multiprocessor to others for a moment.
SDTW_DEVICE void pause() { __nanosleep(20); }
