#include "client/function.h"

#include <array>
#include <mutex>
#include <unordered_map>

#include "client/device.h"
#include "wire/names.h"

namespace bitfusion::client {
namespace {

struct Table {
    std::mutex lock;
    std::vector<std::unique_ptr<FunctionPage>> owned_pages;
    std::unordered_map<uint64_t, std::vector<std::unique_ptr<Function>>> by_owner;
};

Table& table() {
    static Table* const made = std::make_unique<Table>().release();  // outlives every exit handler
    return *made;
}

// Where the function of this name stands; makes the page when need be. nullptr: no name that we give.
std::atomic<Function*>* place_of(uint64_t name) {
    const uint64_t counter = name & 0x7fffffffu;
    const size_t page = counter / kFunctionsOfPage;
    if (page >= kFunctionPages) return nullptr;
    FunctionPage* p = g_function_pages[page].load(std::memory_order_acquire);
    if (p == nullptr) {
        table().owned_pages.push_back(std::make_unique<FunctionPage>());
        p = table().owned_pages.back().get();
        g_function_pages[page].store(p, std::memory_order_release);
    }
    return &(*p)[counter % kFunctionsOfPage];
}

}  // namespace

bool publish_functions(std::span<const uint8_t> facts, uint64_t owner, std::vector<Function*>* published) {
    wire::Reader reader(facts);
    std::vector<wire::FunctionFacts> list;
    if (!wire::decode(reader, &list)) return false;
    const std::lock_guard<std::mutex> lock(table().lock);
    for (wire::FunctionFacts& f : list) {
        if (!wire::is_name(f.name) || !wire::named_by_worker(f.name)) return false;
        if (Function* known = function_of(reinterpret_cast<const void*>(f.name)); known != nullptr) {
            published->push_back(known);
            continue;
        }
        std::atomic<Function*>* place = place_of(f.name);
        if (place == nullptr) return false;
        auto made = std::make_unique<Function>();
        made->name = f.name;
        made->owner = owner;
        made->symbol = std::move(f.symbol);
        made->parameters = std::move(f.parameters);
        made->attributes = std::move(f.attributes);
        if (wire::kind_of(f.name) == wire::Kind::kKernel && device_count() > 1)
            made->on_further_devices.assign(static_cast<size_t>(device_count() - 1), made->attributes);
        for (const auto& p : made->parameters) {
            if (p.offset < made->parameter_bytes)
                return false;  // parameters stand in order and do not overlap
            made->parameter_bytes = size_t{p.offset} + p.size;
        }
        if (made->parameter_bytes > 65536) return false;  // CUDA's limit is 32764
        published->push_back(made.get());
        place->store(made.get(), std::memory_order_release);
        table().by_owner[owner].push_back(std::move(made));
    }
    return true;
}

void unpublish_functions(uint64_t owner) {
    const std::lock_guard<std::mutex> lock(table().lock);
    const auto found = table().by_owner.find(owner);
    if (found == table().by_owner.end()) return;
    for (const auto& function : found->second) {
        if (std::atomic<Function*>* place = place_of(function->name); place != nullptr) place->store(nullptr);
    }
    table().by_owner.erase(found);
}

}  // namespace bitfusion::client
