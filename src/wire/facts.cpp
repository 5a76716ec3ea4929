#include "wire/facts.h"

namespace bitfusion::wire {
namespace {

class Bytes {
  public:
    template <typename T>
    void put(const T& value) {
        const auto* p = reinterpret_cast<const uint8_t*>(&value);
        out.insert(out.end(), p, p + sizeof value);
    }
    void text(const std::string& s) {
        put(static_cast<uint64_t>(s.size()));
        out.insert(out.end(), s.begin(), s.end());
    }
    template <typename T>
    void list(const std::vector<T>& values) {
        put(static_cast<uint32_t>(values.size()));
        for (const T& v : values) put(v);
    }
    std::vector<uint8_t> out;
};

template <typename T>
bool list(Reader& r, std::vector<T>* values) {
    const auto count = r.get<uint32_t>();
    if (!r.holds(count, sizeof(T))) return false;
    values->resize(count);
    r.copy(values->data(), count * sizeof(T));
    return !r.faulty();
}

}  // namespace

std::vector<uint8_t> encode(const std::vector<DeviceFacts>& devices) {
    Bytes b;
    b.put(static_cast<uint32_t>(devices.size()));
    for (const DeviceFacts& d : devices) {
        b.text(d.name);
        b.put(d.uuid);
        b.put(d.uuid_second);
        b.put(d.luid);
        b.put(d.node_mask);
        b.put(d.luid_result);
        b.put(d.total_bytes);
        b.text(d.pci_bus);
        b.list(d.attributes);
    }
    return std::move(b.out);
}

bool decode(Reader& r, std::vector<DeviceFacts>* devices) {
    const auto count = r.get<uint32_t>();
    for (uint32_t i = 0; i < count && !r.faulty(); ++i) {
        DeviceFacts d;
        d.name = r.text();
        d.uuid = r.get<std::array<uint8_t, 16>>();
        d.uuid_second = r.get<std::array<uint8_t, 16>>();
        d.luid = r.get<std::array<uint8_t, 8>>();
        d.node_mask = r.get<uint32_t>();
        d.luid_result = r.get<int32_t>();
        d.total_bytes = r.get<uint64_t>();
        d.pci_bus = r.text();
        if (!list(r, &d.attributes)) return false;
        devices->push_back(std::move(d));
    }
    return !r.faulty();
}

std::vector<uint8_t> encode(const std::vector<FunctionFacts>& functions) {
    Bytes b;
    b.put(static_cast<uint32_t>(functions.size()));
    for (const FunctionFacts& f : functions) {
        b.put(f.name);
        b.text(f.symbol);
        b.list(f.parameters);
        b.list(f.attributes);
    }
    return std::move(b.out);
}

bool decode(Reader& r, std::vector<FunctionFacts>* functions) {
    const auto count = r.get<uint32_t>();
    for (uint32_t i = 0; i < count && !r.faulty(); ++i) {
        FunctionFacts f;
        f.name = r.get<uint64_t>();
        f.symbol = r.text();
        if (!list(r, &f.parameters) || !list(r, &f.attributes)) return false;
        functions->push_back(std::move(f));
    }
    return !r.faulty();
}

}  // namespace bitfusion::wire
