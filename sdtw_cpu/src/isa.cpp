// What the processor has, and the instruction set in use.
#include "isa.hpp"

#include <atomic>
#include <cstring>

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <intrin.h>
#endif

namespace sdtw {

namespace generic {
extern const Level kLevel;
}
#ifdef SDTW_HAVE_NEON
namespace neon {
extern const Level kLevel;
}
#endif
#ifdef SDTW_HAVE_AVX2
namespace avx2 {
extern const Level kLevel;
}
#endif
#ifdef SDTW_HAVE_AVX512
namespace avx512 {
extern const Level kLevel;
}
#endif

namespace {

#if defined(SDTW_HAVE_AVX2) || defined(SDTW_HAVE_AVX512)
#if defined(_MSC_VER)
bool bit(int leaf, int reg, int position) {
  int r[4];
  __cpuidex(r, leaf, 0);
  return (r[reg] >> position) & 1;
}
bool has_avx2() {
  return bit(1, 2, 27) && (_xgetbv(0) & 6) == 6 && bit(1, 2, 12) &&
         bit(7, 1, 5);
}
bool has_avx512() {
  return has_avx2() && (_xgetbv(0) & 0xe6) == 0xe6 && bit(7, 1, 16) &&
         bit(7, 1, 17) && bit(7, 1, 30) && bit(7, 1, 31);
}
#else
bool has_avx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl");
}
#endif
#endif

std::vector<const Level*> usable() {
  std::vector<const Level*> r = {&generic::kLevel};
#ifdef SDTW_HAVE_NEON
  r.push_back(&neon::kLevel);  // every aarch64 processor has it
#endif
#ifdef SDTW_HAVE_AVX2
  if (has_avx2()) r.push_back(&avx2::kLevel);
#endif
#ifdef SDTW_HAVE_AVX512
  if (has_avx512()) r.push_back(&avx512::kLevel);
#endif
  return r;
}

std::atomic<const Level*> current{nullptr};

}  // namespace

const Level& active() {
  if (!current) current = usable().back();
  return *current;
}

const Level& baseline() { return generic::kLevel; }

std::vector<const char*> levels() {
  std::vector<const char*> r;
  for (const Level* l : usable()) r.push_back(l->name);
  return r;
}

const char* level() { return active().name; }

bool set_level(const char* name) {
  for (const Level* l : usable()) {
    if (std::strcmp(l->name, name) == 0) {
      current = l;
      return true;
    }
  }
  return false;
}

}  // namespace sdtw
