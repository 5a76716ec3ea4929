#include "wire/rows.h"

namespace bitfusion::wire {
namespace {

constexpr size_t kRowHead = 8;
constexpr size_t kSmallestProcess = 4 + 8 + 8;

template <typename T>
void append(std::vector<uint8_t>* bytes, const T& value) {
    const auto* at = reinterpret_cast<const uint8_t*>(&value);
    bytes->insert(bytes->end(), at, at + sizeof value);
}

}  // namespace

void RowWriter::row(int32_t result, std::initializer_list<std::span<const uint8_t>> pieces) {
    uint32_t size = 0;
    if (result == 0) {
        for (const auto& p : pieces) size += static_cast<uint32_t>(p.size());
    }
    append(&bytes_, result);
    append(&bytes_, size);
    if (result != 0) return;
    for (const auto& p : pieces) bytes_.insert(bytes_.end(), p.begin(), p.end());
}

bool decode(Reader& reader, size_t count, std::vector<Row>* rows) {
    if (!reader.holds(count, kRowHead)) return false;
    rows->assign(count, {});
    for (Row& row : *rows) {
        row.result = reader.get<int32_t>();
        const auto size = reader.get<uint32_t>();
        if (!reader.holds(size, 1)) return false;
        row.bytes.resize(size);
        reader.copy(row.bytes.data(), size);
    }
    return reader.done();
}

std::vector<uint8_t> encode(const std::vector<ProcessFact>& processes) {
    std::vector<uint8_t> bytes;
    append(&bytes, static_cast<uint32_t>(processes.size()));
    for (const ProcessFact& p : processes) {
        append(&bytes, p.pid);
        append(&bytes, p.used_bytes);
        append(&bytes, static_cast<uint64_t>(p.name.size()));
        bytes.insert(bytes.end(), p.name.begin(), p.name.end());
    }
    return bytes;
}

bool decode(Reader& reader, std::vector<ProcessFact>* processes) {
    const auto count = reader.get<uint32_t>();
    if (!reader.holds(count, kSmallestProcess)) return false;
    processes->assign(count, {});
    for (ProcessFact& p : *processes) {
        p.pid = reader.get<uint32_t>();
        p.used_bytes = reader.get<uint64_t>();
        p.name = reader.text();
    }
    return reader.done();
}

}  // namespace bitfusion::wire
