#include "client/function.h"

#include <array>
#include <mutex>
#include <unordered_map>

#include "wire/names.h"

namespace bitfusion::client {
namespace {

constexpr size_t kPageEntries = 8192;
constexpr size_t kPages = 4096;  // 33 million functions

using Page = std::array<std::atomic<Function*>, kPageEntries>;

struct Table {
    std::array<std::atomic<Page*>, kPages> pages{};
    std::mutex lock;
    std::vector<std::unique_ptr<Page>> owned_pages;
    std::unordered_map<uint64_t, std::vector<std::unique_ptr<Function>>> by_owner;
};

Table& table() {
    static Table* const made = std::make_unique<Table>().release();  // outlives every exit handler
    return *made;
}

std::atomic<Function*>* place_of(uint64_t name, bool make) {
    const uint64_t counter = name & 0x7fffffffu;
    const size_t page = counter / kPageEntries;
    if (page >= kPages) return nullptr;
    Page* p = table().pages[page].load(std::memory_order_acquire);
    if (p == nullptr) {
        if (!make) return nullptr;
        table().owned_pages.push_back(std::make_unique<Page>());
        p = table().owned_pages.back().get();
        table().pages[page].store(p, std::memory_order_release);
    }
    return &(*p)[counter % kPageEntries];
}

}  // namespace

Function* function_of(const void* handle) {
    const auto name = reinterpret_cast<uint64_t>(handle);
    if (!wire::is_name(name) || !wire::named_by_worker(name)) return nullptr;
    const std::atomic<Function*>* place = place_of(name, false);
    if (place == nullptr) return nullptr;
    Function* function = place->load(std::memory_order_acquire);
    return function != nullptr && function->name == name ? function : nullptr;
}

bool publish_functions(std::span<const uint8_t> facts, uint64_t owner, std::vector<Function*>* published) {
    wire::Reader reader(facts);
    std::vector<wire::FunctionFacts> list;
    if (!wire::decode(reader, &list)) return false;
    const std::lock_guard<std::mutex> lock(table().lock);
    for (wire::FunctionFacts& f : list) {
        if (!wire::is_name(f.name)) return false;
        if (Function* known = function_of(reinterpret_cast<const void*>(f.name)); known != nullptr) {
            published->push_back(known);
            continue;
        }
        std::atomic<Function*>* place = place_of(f.name, true);
        if (place == nullptr) return false;
        auto made = std::make_unique<Function>();
        made->name = f.name;
        made->owner = owner;
        made->symbol = std::move(f.symbol);
        made->parameters = std::move(f.parameters);
        made->attributes = std::move(f.attributes);
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
        if (std::atomic<Function*>* place = place_of(function->name, false); place != nullptr)
            place->store(nullptr);
    }
    table().by_owner.erase(found);
}

CUresult attribute_of(const Function& function, int attribute, int* value) {
    if (attribute < 0 || static_cast<size_t>(attribute) >= function.attributes.size())
        return CUDA_ERROR_INVALID_VALUE;
    const wire::AttributeFact& fact = function.attributes[static_cast<size_t>(attribute)];
    if (fact.result == CUDA_SUCCESS) *value = fact.value;
    return static_cast<CUresult>(fact.result);
}

}  // namespace bitfusion::client
