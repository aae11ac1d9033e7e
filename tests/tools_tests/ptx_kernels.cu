// Kernels for the tests of the executor of PTX.
#include "device.cuh"

// Read what another block of this launch may have written and published:
// float, double, int2 or longlong2.
template <class T>
SDTW_DEVICE T load_fresh(Global<T> p, long long i) {
  return __ldcg(p + i);
}

// Tell other blocks that everything that this block wrote until its last
// barrier is there. Called by one thread of the block.
SDTW_DEVICE void publish(Global<int> progress, int value) {
  asm volatile("st.release.gpu.global.s32 [%0], %1;" ::"l"(progress),
               "r"(value)
               : "memory");
}

// Wait until another block has published `value` or more. Called by one
// thread of the block, followed by a barrier.
SDTW_DEVICE void await(Global<int> progress, int value) {
  int seen;
  for (bool asleep = false;; asleep = true) {
    // What orders the reads that follow also empties the cache of the
    // multiprocessor: not at every look while waiting.
    if (asleep) {
      do {
        __nanosleep(40);
        asm volatile("ld.relaxed.gpu.global.s32 %0, [%1];"
                     : "=r"(seen)
                     : "l"(progress)
                     : "memory");
      } while (seen < value);
    }
    asm volatile("ld.acquire.gpu.global.s32 %0, [%1];"
                 : "=r"(seen)
                 : "l"(progress)
                 : "memory");
    if (seen >= value) return;
  }
}

using T = SDTW_NUMBER;

#define FULL 0xffffffffu

SDTW_KERNEL void SDTW_BOUNDS(64, 1) shuffles(T* out, int which) {
  const int t = threadIdx.x;
  const T v = (T)(100 * (t / 32) + t % 32);
  T r = 0;
  switch (which) {
    case 0:
      r = __shfl_sync(FULL, v, 3);
      break;
    case 1:
      r = __shfl_up_sync(FULL, v, 2);
      break;
    case 2:
      r = __shfl_down_sync(FULL, v, 5);
      break;
    case 3:
      r = __shfl_sync(FULL, v, 31 - t % 32);
      break;
    case 4:
      r = __shfl_xor_sync(FULL, v, 1);
      break;
    case 5:
      r = __shfl_down_sync(FULL, v, 1, 8);
      break;
    case 6:
      r = (T)__popc(__ballot_sync(FULL, t % 5 == 0));
      break;
    case 7:
      r = (T)__any_sync(FULL, t == 40);
      break;
    case 8:
      r = (T)__all_sync(FULL, t < 32);
      break;
    case 9:  // half of the lanes by themselves
      if (t % 2) r = __shfl_xor_sync(0xaaaaaaaau, v, 2);
      break;
  }
  out[t] = r;
}

// The sum of each block's part, by halving.
SDTW_KERNEL void halving(const T* x, T* out) {
  __shared__ T s[1024];
  const int t = threadIdx.x;
  s[t] = x[(long long)blockIdx.x * blockDim.x + t];
  for (int half = blockDim.x / 2; half; half /= 2) {
    __syncthreads();
    if (t < half) s[t] += s[t + half];
  }
  if (t == 0) out[blockIdx.x] = s[0];
}

// Each block turns the row that the block of the ticket before has written.
// flags: 1 no await, 4 no barrier after await, 8 no barrier before publish,
// 16 without tickets, 32 publishes before it writes, 64 fences and relaxed
// accesses, 128 without the fences, 256 through the cache of read-only data.
SDTW_KERNEL void chain(int* counter, int* progress, T* rows, int length,
                       int flags) {
  __shared__ int ticket;
  const int t = threadIdx.x, threads = blockDim.x;
  if (t == 0) ticket = flags & 16 ? (int)blockIdx.x : draw(counter);
  __syncthreads();
  const int row = ticket;
  const auto tell = [&](int part) {
    if (flags & 64) {
      if (!(flags & 128)) __threadfence();
      *(volatile int*)(progress + row + 1) = part;
    } else {
      publish(progress + row + 1, part);
    }
  };
  for (int start = 0; start < length; start += threads) {
    const int part = start / threads + 1;
    if (row && t == 0 && !(flags & 1)) {
      if (flags & 64) {
        while (*(volatile int*)(progress + row) < part) __nanosleep(20);
        if (!(flags & 128)) __threadfence();
      } else {
        await(progress + row, part);
      }
    }
    if (!(flags & 4)) __syncthreads();
    const int i = start + t;
    if ((flags & 32) && t == 0) tell(part);
    if (i < length) {
      const T* above = rows + (long long)row * length;
      const int j = min(start + threads, length) - 1 - t;
      const T v = flags & 256 ? __ldg(above + j) : load_fresh(above, j);
      rows[(long long)(row + 1) * length + i] = v + 1;
    }
    if (!(flags & 8)) __syncthreads();
    if (t == 0 && !(flags & 32)) tell(part);
  }
}

// A reader of each buffer that is used again: the writer has to wait for it.
SDTW_KERNEL void ring(int* counter, int* progress, T* buffer, T* out,
                      int steps, int waits) {
  const int t = threadIdx.x;
  int role = t ? 0 : draw(counter);
  role = __shfl_sync(FULL, role, 0);
  for (int i = 0; i < steps; ++i) {
    if (role == 0) {
      if (waits && t == 0) await(progress + 1, i);
      __syncwarp();
      buffer[t] = (T)(i + t);
      __syncwarp();
      if (t == 31) publish(progress, i + 1);
    } else {
      if (t == 5) await(progress, i + 1);
      __syncwarp();
      out[t] += load_fresh(buffer, (t + 1) % 32);
      __syncwarp();
      if (t == 0) publish(progress + 1, i + 1);
    }
  }
}

// What one thread has written and published, without any barrier.
SDTW_KERNEL void hand_over(int* counter, int* progress, T* cell, T* out,
                           int others) {
  const int t = threadIdx.x;
  int role = t ? 0 : draw(counter);
  role = __shfl_sync(FULL, role, 0);
  if (role == 0) {
    if (t == 7 || others) cell[t] = (T)3;
    if (t == 7) publish(progress, 1);
  } else {
    if (t == 9) {
      await(progress, 1);
      out[0] = load_fresh(cell, others ? 8 : 7);
    }
  }
}

// flags: 1 no barrier before the read, 2 none after, 4 shuffles instead
SDTW_KERNEL void warps(T* out, int flags) {
  __shared__ T s[32];
  const int t = threadIdx.x;
  T v = (T)t;
  s[t] = v;
  __syncwarp();
  for (int i = 0; i < 3; ++i) {
    *(volatile T*)(s + t) = v;
    if (flags & 4) __shfl_sync(FULL, 0, 0);
    if (!(flags & 5)) __syncwarp();
    v = s[(t + 1) % 32];
    if (!(flags & 2)) __syncwarp();
  }
  out[t] = v;
}

// flags: 1 __syncwarp instead of __syncthreads, 2 no barrier after the read,
// 4 a barrier of both warps that is not that of the block
SDTW_KERNEL void two_warps(T* out, int flags) {
  extern __shared__ double memory[];
  T* s = (T*)memory;
  const int t = threadIdx.x;
  s[t] = 0;
  __syncthreads();
  for (int i = 0; i < 2; ++i) {
    s[t] = (T)(t + i);
    if (flags & 1) {
      __syncwarp();
    } else if (flags & 4) {
      asm volatile("bar.sync 1, 64;" ::: "memory");
    } else {
      __syncthreads();
    }
    out[t] = s[63 - t];
    if (!(flags & 2)) __syncthreads();
  }
}

// The second and third warp of three meet; flags: 1 they do not, 2 the first
// one reads as well, 4 the second arrives and does not wait.
SDTW_KERNEL void some_warps(T* out, int flags) {
  __shared__ T s[96];
  const int t = threadIdx.x;
  s[t] = (T)t;
  if (t >= 32 && !(flags & 1)) {
    if ((flags & 4) && t < 64) {
      asm volatile("bar.arrive 2, 64;" ::: "memory");
    } else {
      asm volatile("bar.sync 2, 64;" ::: "memory");
    }
  }
  if (t >= 64) out[t] = s[t - 32];
  if ((flags & 2) && t < 32) out[t] = s[t + 32];
}

SDTW_KERNEL void global_race(T* out) {
  out[0] = (T)(threadIdx.x + blockIdx.x);
}

// Bytes that share a word are no race; `shift` makes two threads share one.
SDTW_KERNEL void bytes(unsigned char* out, int shift) {
  out[threadIdx.x >> shift] = (unsigned char)threadIdx.x;
}

SDTW_KERNEL void broadcast_then_write(T* x, T* out, int syncs) {
  const T v = x[0];
  if (syncs) __syncthreads();
  if (threadIdx.x == 17) x[0] = v + 1;
  out[threadIdx.x] = v;
}

SDTW_KERNEL void bounds(const T* x, T* out, int i, int j, int k) {
  extern __shared__ double memory[];
  T* s = (T*)memory;
  for (int n = 0; n < 8; ++n) s[n] = (T)n;
  out[j] = x[i] + s[k];
}

SDTW_KERNEL void misaligned(T* out, int i) {
  const float4 v = *(const float4*)(out + i);
  out[0] = v.x + v.y + v.z + v.w;
}

SDTW_KERNEL void uninitialized(T* out, int n) {
  __shared__ T s[32];
  if (threadIdx.x < (unsigned)n) s[threadIdx.x] = (T)1;
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}

// flags: the shared memory that no thread has written is read, not used.
SDTW_KERNEL void read_early(T* out, int n) {
  __shared__ T s[32];
  const int t = threadIdx.x;
  T v;
  if (t < n) s[t] = (T)1;
  __syncthreads();
  v = *(volatile T*)(s + t);
  out[t] = t < n ? v + 1 : (T)0;
}

SDTW_KERNEL void diverges(T* out, int how) {
  const int t = threadIdx.x;
  if (how == 0 && t == 5) return;
  if (how == 1 && t == 5) {
    __syncwarp();
  } else if (how == 2) {
    if (t != 5) __syncwarp();
  } else if (how == 3) {
    if (t != 5) __shfl_sync(FULL, t, 0);
  } else if (how == 4) {
    if (t % 2) {
      out[t] = (T)__shfl_sync(FULL, t, 0);
    } else {
      out[t] = (T)__shfl_up_sync(FULL, t, 1);
    }
  } else if (how == 5) {
    out[t] = (T)__shfl_sync(1u << t % 32, t, 31);
  }
  __syncthreads();
  out[t] = (T)1;
}

SDTW_KERNEL void waits(int* progress) {
  if (threadIdx.x == 0) await(progress + blockIdx.x, 1);
  __syncthreads();
}

// Lanes of a warp that wait for each other, as threads may.
SDTW_KERNEL void lanes_wait(int* progress, int* out) {
  const int t = threadIdx.x;
  if (t) await(progress, t);
  out[t] = t;
  publish(progress, t + 1);
}

struct Pair {
  float f;
  int n;
};

SDTW_KERNEL void pairs(const Pair* x, Pair* out, double scale, const T* none) {
  Pair p = x[threadIdx.x];
  p.f = product(p.f, (float)scale);
  p.n += none ? 1 : 2;
  out[threadIdx.x] = p;
}

struct Record {
  const T* x;
  T* out;
  T* none;
  int n;
  double scale;
  int offsets[3];
};

SDTW_KERNEL void record(Record r) {
  const int t = threadIdx.x;
  if (r.none || t >= r.n) return;
  r.out[t] = r.x[t] * (T)r.scale + r.offsets[t % 3];
}

SDTW_KERNEL void atomics(int* ints, unsigned long long* longs, T* sum) {
  const int t = threadIdx.x + blockDim.x * blockIdx.x;
  atomicAdd(ints, t);
  atomicMax(ints + 1, t);
  atomicMin(ints + 2, -t);
  atomicExch(ints + 3, t);
  atomicCAS(ints + 4, 0, 7);
  atomicOr(ints + 5, 1 << t % 32);
  atomicAdd(longs, (unsigned long long)t << 32);
  atomicMax(longs + 1, (unsigned long long)t << 33);
  atomicAdd(sum, (T)t);
}

// The block that comes last adds up what the others have written.
// flags: 1 without the fences
SDTW_KERNEL void last_block(int* counter, T* parts, T* out, int flags) {
  __shared__ bool last;
  const int t = threadIdx.x;
  if (t == 0) {
    parts[blockIdx.x] = (T)blockIdx.x;
    if (!(flags & 1)) __threadfence();
    last = atomicAdd(counter, 1) == (int)gridDim.x - 1;
    if (!(flags & 1)) __threadfence();
  }
  __syncthreads();
  if (last && t == 0) {
    T sum = 0;
    for (int i = 0; i < (int)gridDim.x; ++i) sum += parts[i];
    out[0] = sum;
  }
}

SDTW_KERNEL void local_memory(const int* order, T* out, int n) {
  T a[40];
  for (int k = 0; k < n; ++k) a[order[k]] = (T)(k + threadIdx.x);
  out[threadIdx.x] = a[order[n - 1]] + a[order[0]];
}

#if __CUDA_ARCH__ >= 800
// flags: 1 without wait, 2 without a barrier, 4 waits for all but the last,
// 8 writes the source before it waits
SDTW_KERNEL void copies(T* x, T* out, int flags) {
  __shared__ double2 memory[32];
  __shared__ T more[64];
  T* s = (T*)memory;
  const int t = threadIdx.x;
  constexpr int n = 16 / sizeof(T);
  const unsigned to = (unsigned)__cvta_generic_to_shared(s + n * t);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to),
               "l"(x + n * t)
               : "memory");
  asm volatile("cp.async.commit_group;" ::: "memory");
  const unsigned other = (unsigned)__cvta_generic_to_shared(more + t);
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(other),
               "l"(x + t), "n"(sizeof(T))
               : "memory");
  asm volatile("cp.async.commit_group;" ::: "memory");
  if ((flags & 8) && t == 3) x[n * 5] = 0;
  if (flags & 4) {
    asm volatile("cp.async.wait_group 1;" ::: "memory");
  } else if (!(flags & 1)) {
    asm volatile("cp.async.wait_all;" ::: "memory");
  }
  if (!(flags & 2)) __syncthreads();
  out[t] = s[(t + n) % (32 * n)];
  if (!(flags & 16)) out[t] += more[t];
  asm volatile("cp.async.wait_all;" ::: "memory");
}

SDTW_KERNEL void reductions(int* out) {
  const int t = threadIdx.x;
  out[t] = __reduce_add_sync(FULL, t);
  out[32 + t] = __reduce_min_sync(FULL, -t);
  out[64 + t] = (int)__reduce_or_sync(FULL, 1u << t);
}
#endif
