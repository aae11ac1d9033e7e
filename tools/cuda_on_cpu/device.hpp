// Takes the place of device.cuh when the kernels are compiled for the CPU:
// the same names with the same meanings, and checks.
//
// Every thread of a kernel is a fiber; they take turns at barriers, shuffles
// and waits, in an order drawn from a seed. What counts as an error does not
// depend on that order:
//
// - An access outside its array, or misaligned. For Shared that is what was
//   taken with take(), for Global the argument of the launch.
// - A data race. Each word of four bytes knows when it was last written and
//   read, by whom. Time counts barriers: within a block, two accesses are in
//   order if a __syncthreads, or within a warp a __syncwarp of all its lanes,
//   came between; shuffles do not order memory. Between blocks, what publish()
//   covers is in order with what follows await() of that value or a lower
//   one: the publishing thread's accesses, and those of others before their
//   last barrier with it. This passes on from block to block. Elements of less
//   than four bytes share a word and are judged together. Of the blocks that
//   have read a word of global memory, the last two are remembered.
// - A read of shared memory that the block has not written, or a plain read
//   of global memory that another block of the launch has.
// - A barrier or shuffle that not all threads reach, and waiting forever.
#pragma once

#include "atomics.hpp"
#include "language.hpp"
#include "launch.hpp"
#include "math.hpp"

#define SDTW_DEVICE inline
#define SDTW_KERNEL static
#define SDTW_BOUNDS(...)
#define SDTW_UNROLL
#define SDTW_UNROLL_BY(n)
