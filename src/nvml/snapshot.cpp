#include "nvml/snapshot.h"

#include <algorithm>
#include <cstring>

#include "nvml/device.h"
#include "nvml/library.h"

namespace bitfusion::nvml {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kReadingLives = std::chrono::milliseconds(100);
constexpr auto kSlowLives = std::chrono::seconds(1);

Clock::duration life_of(MonitorGroup group) {
    switch (group) {
        case MonitorGroup::kReading:
        case MonitorGroup::kTraffic:
            return kReadingLives;
        case MonitorGroup::kLinks:
        case MonitorGroup::kHealth:
            return kSlowLives;
        default:
            return Clock::duration::max();
    }
}

nvmlReturn_t read(Library* l, MonitorGroup group, size_t device, size_t other, Snapshot* snapshot) {
    msg::MonitorRead m;
    m.group = static_cast<uint32_t>(group);
    m.device = static_cast<uint32_t>(device);
    m.other = static_cast<uint32_t>(other);
    return l->session->call(m, [&](const auto& reply) {
        if (reply.result != NVML_SUCCESS) return static_cast<nvmlReturn_t>(reply.result);
        wire::Reader rows(reply.rows);
        if (!wire::decode(rows, kMonitorRows[m.group], &snapshot->rows)) {
            snapshot->rows.clear();
            return l->session->lose("a snapshot of it has other rows than this library reads");
        }
        snapshot->taken = Clock::now();
        return NVML_SUCCESS;
    });
}

// The lock is held; the row stays valid until it is given back.
nvmlReturn_t find_row(Library* l, MonitorGroup group, nvmlDevice_t device, nvmlDevice_t other, size_t row,
                      const wire::Row** found) {
    if (const nvmlReturn_t result = ensure_session(l); result != NVML_SUCCESS) return result;
    size_t first = 0;
    size_t second = 0;
    size_t places = 1;
    if (group != MonitorGroup::kSystem) {
        if (!index_of(*l, device, &first)) return NVML_ERROR_INVALID_ARGUMENT;
        places = l->devices;
    }
    if (group == MonitorGroup::kPair) {
        if (!index_of(*l, other, &second)) return NVML_ERROR_INVALID_ARGUMENT;
        places = l->devices * l->devices;
    }
    auto& snapshots = l->snapshots[static_cast<size_t>(group)];
    snapshots.resize(places);
    Snapshot& snapshot = snapshots[group == MonitorGroup::kPair ? first * l->devices + second : first];
    if (snapshot.rows.empty() || Clock::now() - snapshot.taken > life_of(group)) {
        if (const nvmlReturn_t result = read(l, group, first, second, &snapshot); result != NVML_SUCCESS)
            return result;
    }
    *found = &snapshot.rows[row];
    return static_cast<nvmlReturn_t>((*found)->result);
}

}  // namespace

nvmlReturn_t take(MonitorGroup group, nvmlDevice_t device, nvmlDevice_t other, size_t row,
                  std::initializer_list<Piece> pieces) {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    const wire::Row* found = nullptr;
    if (const nvmlReturn_t result = find_row(&l, group, device, other, row, &found); result != NVML_SUCCESS)
        return result;
    size_t wanted = 0;
    for (const Piece& piece : pieces) wanted += piece.bytes;
    if (wanted != found->bytes.size())
        return l.session->lose("a row of it has another size than this library reads");
    size_t at = 0;
    for (const Piece& piece : pieces) {
        if (piece.to != nullptr) memcpy(piece.to, found->bytes.data() + at, piece.bytes);
        at += piece.bytes;
    }
    return NVML_SUCCESS;
}

nvmlReturn_t take_lists(MonitorGroup group, nvmlDevice_t device, nvmlDevice_t other, size_t row,
                        unsigned* count, std::initializer_list<Piece> lists) {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    const wire::Row* found = nullptr;
    if (const nvmlReturn_t result = find_row(&l, group, device, other, row, &found); result != NVML_SUCCESS)
        return result;
    size_t of_one = 0;
    for (const Piece& list : lists) of_one += list.bytes;
    if (found->bytes.size() % of_one != 0)
        return l.session->lose("a list of it has other elements than this library reads");
    const unsigned room = *count;
    *count = static_cast<unsigned>(found->bytes.size() / of_one);
    if (*count > room) return NVML_ERROR_INSUFFICIENT_SIZE;
    size_t at = 0;
    for (const Piece& list : lists) {
        const size_t bytes = *count * list.bytes;
        if (bytes != 0) memcpy(list.to, found->bytes.data() + at, bytes);
        at += bytes;
    }
    return NVML_SUCCESS;
}

nvmlReturn_t take_text(MonitorGroup group, nvmlDevice_t device, nvmlDevice_t other, size_t row, char* to,
                       unsigned length) {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    const wire::Row* found = nullptr;
    if (const nvmlReturn_t result = find_row(&l, group, device, other, row, &found); result != NVML_SUCCESS)
        return result;
    if (found->bytes.size() >= length) return NVML_ERROR_INSUFFICIENT_SIZE;
    std::copy(found->bytes.begin(), found->bytes.end(), to);
    to[found->bytes.size()] = '\0';
    return NVML_SUCCESS;
}

bool has_version(const void* versioned, size_t size, unsigned version) {
    unsigned said = 0;
    memcpy(&said, versioned, sizeof said);
    return said == (static_cast<unsigned>(size) | version << 24);
}

}  // namespace bitfusion::nvml
