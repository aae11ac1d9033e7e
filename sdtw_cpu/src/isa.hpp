// The instruction sets that the sweeps are built for.
#pragma once

#include <vector>

#include "kernels.hpp"

namespace sdtw {

// The names of the instruction sets that are built in and run on this
// processor, from the lowest to the highest; and the one in use.
std::vector<const char*> levels();
const char* level();
bool set_level(const char* name);  // false: not usable here

// The level that is in use, and the one that runs everywhere.
const Level& active();
const Level& baseline();

}  // namespace sdtw
