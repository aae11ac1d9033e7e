#pragma once
#include "device.cuh"

#define FULL 0xffffffffu

SDTW_KERNEL void SDTW_BOUNDS(64) shuffles(Global<T> out, int which) {
  const int t = threadIdx.x;
  const T v = (T)(100 * (t / 32) + t % 32);
  const T r = which == 0   ? __shfl_sync(FULL, v, 3)
              : which == 1 ? __shfl_up_sync(FULL, v, 2)
              : which == 2 ? __shfl_down_sync(FULL, v, 5)
              : which == 3 ? __shfl_sync(FULL, v, 31 - t % 32)
              : which == 4 ? __shfl_xor_sync(FULL, v, 1)
              : which == 5 ? __shfl_down_sync(FULL, v, 1, 8)
              : which == 6
                  ? (T)__builtin_popcount(__ballot_sync(FULL, t % 5 == 0))
              : which == 7 ? (T)__any_sync(FULL, t == 40)
                           : (T)__all_sync(FULL, t < 32);
  out[t] = r;
}

// The sum of each block's part, by halving.
SDTW_KERNEL SDTW_BOUNDS(1024) void halving(Global<const T> x, Global<T> out) {
  Shared<char> at = shared_memory<8192>();
  Shared<T> s = take<T>(at, blockDim.x);
  const int t = threadIdx.x;
  s[t] = x[(long long)blockIdx.x * blockDim.x + t];
  for (int half = blockDim.x / 2; half; half /= 2) {
    __syncthreads();
    if (t < half) s[t] += s[t + half];
  }
  if (t == 0) out[blockIdx.x] = s[0];
}

// Each block turns the row that the block of the ticket before has written.
// flags: 1 no await, 2 plain loads, 4 no barrier after await, 8 no barrier
// before publish, 16 without tickets, 32 publishes before it writes.
SDTW_KERNEL void chain(Global<int> counter, Global<int> progress,
                       Global<T> rows, int length, int flags) {
  Shared<char> at = shared_memory<64>();
  Shared<int> ticket = take<int>(at, 1);
  const int t = threadIdx.x, threads = blockDim.x;
  if (t == 0) ticket[0] = flags & 16 ? (int)blockIdx.x : draw(counter);
  __syncthreads();
  const int row = ticket[0];
  for (int start = 0; start < length; start += threads) {
    const int part = start / threads + 1;
    if (row && t == 0 && !(flags & 1)) await(progress + row, part);
    if (!(flags & 4)) __syncthreads();
    const int i = start + t;
    if ((flags & 32) && t == 0) publish(progress + row + 1, part);
    if (i < length) {
      const Global<T> above = rows + (long long)row * length;
      const int j = min(start + threads, length) - 1 - t;
      T v;
      if (flags & 2) {
        v = above[j];
      } else {
        v = load_fresh(above, j);
      }
      rows[(long long)(row + 1) * length + i] = v + 1;
    }
    if (!(flags & 8)) __syncthreads();
    if (t == 0 && !(flags & 32)) publish(progress + row + 1, part);
  }
}

// A reader of each buffer that is used again: the writer has to wait for it.
SDTW_KERNEL void ring(Global<int> counter, Global<int> progress,
                      Global<T> buffer, Global<T> out, int steps, int waits) {
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
SDTW_KERNEL void hand_over(Global<int> counter, Global<int> progress,
                           Global<T> cell, Global<T> out, int others) {
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
SDTW_KERNEL void warps(Global<T> out, int flags) {
  Shared<char> at = shared_memory<256>();
  Shared<T> s = take<T>(at, 32);
  const int t = threadIdx.x;
  T v = (T)t;
  s[t] = v;
  __syncwarp();
  for (int i = 0; i < 3; ++i) {
    s[t] = v;
    if (flags & 4) __shfl_sync(FULL, 0, 0);
    if (!(flags & 5)) __syncwarp();
    v = s[(t + 1) % 32];
    if (!(flags & 2)) __syncwarp();
  }
  out[t] = v;
}

// flags: 1 __syncwarp instead of __syncthreads, 2 no barrier after the read
SDTW_KERNEL void two_warps(Global<T> out, int flags) {
  Shared<char> at = shared_memory();
  Shared<T> s = take<T>(at, 64);
  const int t = threadIdx.x;
  s[t] = 0;
  __syncthreads();
  for (int i = 0; i < 2; ++i) {
    s[t] = (T)(t + i);
    if (flags & 1) {
      __syncwarp();
    } else {
      __syncthreads();
    }
    out[t] = s[63 - t];
    if (!(flags & 2)) __syncthreads();
  }
}

SDTW_KERNEL void global_race(Global<T> out) {
  out[0] = (T)(threadIdx.x + blockIdx.x);
}

SDTW_KERNEL void broadcast_then_write(Global<T> x, Global<T> out, int syncs) {
  const T v = x[0];
  if (syncs) __syncthreads();
  if (threadIdx.x == 17) x[0] = v + 1;
  out[threadIdx.x] = v;
}

SDTW_KERNEL void bounds(Global<const T> x, Global<T> out, int i, int j,
                        int k) {
  Shared<char> at = shared_memory();
  Shared<T> before = take<T>(at, 4);
  Shared<T> s = take<T>(at, 8);
  Shared<T> after = take<T>(at, 4);
  if (threadIdx.x) return;
  for (int n = 0; n < 4; ++n) before[n] = after[n] = (T)n;
  for (int n = 0; n < 8; ++n) s[n] = (T)n;
  out[j] = x[i] + s[k];
}

SDTW_KERNEL void takes(int elements) {
  Shared<char> at = shared_memory<64>();
  take<float>(at, 1);
  take<T>(at, elements);
}

SDTW_KERNEL void aligned(Global<T> out, int i) {
  Shared<char> at = shared_memory<512>();
  Shared<T> s = take<T>(at, 32);
  s[threadIdx.x] = (T)threadIdx.x;
  __syncthreads();
  T four[4];
  load4(s + i, four);
  for (int k = 0; k < 4; ++k) {
    if (threadIdx.x == 0) out[k] = four[k];
  }
}

SDTW_KERNEL void uninitialized(Global<T> out, int n) {
  Shared<char> at = shared_memory<256>();
  Shared<T> s = take<T>(at, 32);
  if (threadIdx.x < (unsigned)n) s[threadIdx.x] = (T)1;
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}

SDTW_KERNEL void diverges(Global<T> out, int how) {
  const int t = threadIdx.x;
  if (how == 0 && t == 5) return;
  if (how == 1 && t == 5) {
    __syncwarp();
  } else if (how == 2) {
    if (t != 5) __syncwarp();
  } else if (how == 3) {
    if (t != 5) __shfl_sync(FULL, 1, 0);
  } else if (how == 4) {
    if (t % 2) {
      __shfl_sync(FULL, 1, 0);
    } else {
      __shfl_up_sync(FULL, 1, 1);
    }
  } else if (how == 5) {
    __shfl_sync(1u << t % 32, 1, 31);
  }
  __syncthreads();
  out[t] = (T)1;
}

SDTW_KERNEL void waits(Global<int> progress) {
  if (threadIdx.x == 0) await(progress + blockIdx.x, 1);
  __syncthreads();
}

struct Pair {
  float f;
  int n;
};

SDTW_KERNEL void pairs(Global<const Pair> x, Global<Pair> out, double scale,
                       Global<const T> none) {
  Pair p = x[threadIdx.x];
  p.f = product(p.f, (float)scale);
  p.n += none ? 1 : 2;
  out[threadIdx.x] = p;
}

SDTW_KERNEL void arithmetic(Global<const float> x, Global<float> out) {
  const float a = x[0], b = x[1];
  out[0] = fused(a, a, b);
  out[1] = sum(product(a, a), b);
  out[2] = reciprocal(a);
  out[3] = from_bits(to_bits(a) + 1);
  out[4] = (float)round_to_int(x[2]);
  out[5] = (float)max(min(to_bits(b), 7), 3);
}

SDTW_KERNEL void highest(Global<double> out, Global<const double> x) {
  raise(out, x[blockIdx.x * blockDim.x + threadIdx.x]);
}
