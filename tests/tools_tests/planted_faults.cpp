// Faults that sanitizers must report: test_sanitizers.py calls one at a time.
#include <climits>
#include <cstddef>
#include <thread>
#include <vector>

#include "memory.hpp"

namespace {

// What the compiler cannot see through.
template <class T>
T hidden(T a) {
  volatile T b = a;
  return b;
}

volatile double sink;

}  // namespace

extern "C" {

void no_fault() {
  std::vector<double> a(hidden(8), 1.0);
  sdtw::Buffer<double> buffer;
  buffer.get(hidden(1000))[999] = a[7];
  buffer.get(hidden(10))[9] = 1.0;
  std::atomic<int> count{hidden(INT_MAX)};
  std::thread other([&] { ++count; });
  --count;
  other.join();
}

void read_past_the_end() {
  double* a = new double[hidden(8)]();
  sink = a[hidden(8)];
  delete[] a;
}

void write_before_the_begin() {
  double* a = new double[hidden(8)]();
  *hidden(a - 1) = 1.0;
  sink = a[0];
  delete[] a;
}

void use_after_free() {
  double* a = new double[hidden(8)]();
  delete[] a;
  sink = a[hidden(3)];
}

void use_after_return_to_the_pool() {
  double* a;
  {
    sdtw::Buffer<double> buffer;
    a = buffer.get(hidden(1000));
    a[3] = 1.0;
  }
  sink = a[hidden(3)];
}

void read_past_what_was_asked_for() {
  sdtw::Buffer<double> buffer;
  buffer.zeros(hidden(1000));
  sink = buffer.get(hidden(600))[hidden(600)];
}

void write_past_the_stack() {
  double a[4] = {};
  a[hidden(4)] = 1.0;
  sink = a[hidden(3)];
}

void index_past_a_vector() {
  std::vector<double> a(hidden(8));
  a.reserve(16);
  sink = a[hidden(8)];
}

void leak() { hidden(new double[hidden(8)])[0] = 1.0; }

void overflow_of_signed() {
  const int a = hidden(INT_MAX);
  sink = a + hidden(1);
}

void shift_too_far() { sink = hidden(1) << hidden(32); }

void double_too_large_for_int() { sink = (int)hidden(1e10); }

void misaligned() {
  std::vector<char> a(64);
  sink = *(double*)hidden(a.data() + 1);
}

void null() { sink = *hidden((double*)nullptr); }

void data_race() {
  int a = 0;
  std::thread other([&] { a = hidden(1); });
  a = hidden(2);
  other.join();
  sink = a;
}

void data_race_after_a_flag_without_order() {
  int a = 0;
  std::atomic<bool> done{false};
  std::thread other([&] {
    a = hidden(1);
    done.store(true, std::memory_order_relaxed);
  });
  while (!done.load(std::memory_order_relaxed)) {
  }
  sink = a;
  other.join();
}

}  // extern "C"
