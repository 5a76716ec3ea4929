#include "device/soft/multiprocessor.h"

namespace bitfusion::soft {
namespace {

constexpr uint32_t kKib = 1024;

struct Row {
    int capability;  // 89 for 8.9
    Multiprocessor has;
};

constexpr Row kRows[] = {
    {50, {2048, 32, 64 * kKib, 48 * kKib, 0}},       {52, {2048, 32, 96 * kKib, 48 * kKib, 0}},
    {53, {2048, 32, 64 * kKib, 48 * kKib, 0}},       {60, {2048, 32, 64 * kKib, 48 * kKib, 0}},
    {61, {2048, 32, 96 * kKib, 48 * kKib, 0}},       {62, {2048, 32, 64 * kKib, 48 * kKib, 0}},
    {70, {2048, 32, 96 * kKib, 96 * kKib, 0}},       {75, {1024, 16, 64 * kKib, 64 * kKib, 0}},
    {80, {2048, 32, 164 * kKib, 163 * kKib, kKib}},  {86, {1536, 16, 100 * kKib, 99 * kKib, kKib}},
    {87, {1536, 16, 164 * kKib, 163 * kKib, kKib}},  {89, {1536, 24, 100 * kKib, 99 * kKib, kKib}},
    {90, {2048, 32, 228 * kKib, 227 * kKib, kKib}},  {100, {2048, 32, 228 * kKib, 227 * kKib, kKib}},
    {110, {1536, 24, 228 * kKib, 227 * kKib, kKib}}, {120, {1536, 24, 100 * kKib, 99 * kKib, kKib}},
};

}  // namespace

Multiprocessor multiprocessor_of(int cc_major, int cc_minor) {
    Multiprocessor found = kRows[0].has;
    for (const Row& row : kRows) {
        if (row.capability <= cc_major * 10 + cc_minor) found = row.has;
    }
    return found;
}

}  // namespace bitfusion::soft
