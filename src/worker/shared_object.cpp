// Objects that a program shares between its processes. The driver's own handles stay among the workers
// (exchange.h): the client gets tokens, and every token that it brings is one of its own lease or none.
#include <unistd.h>

#include <cstring>

#include "worker/exchange.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

using Kind = Exchange::Kind;
using Object = Exchange::Object;

template <typename Raw>
void keep_raw(Object* object, const Raw& raw) {
    static_assert(sizeof raw == Exchange::kRawBytes);
    memcpy(object->raw.data(), &raw, sizeof raw);
}

template <typename Raw>
Raw raw_of(const Object& object) {
    Raw raw{};
    static_assert(sizeof raw == Exchange::kRawBytes);
    memcpy(&raw, object.raw.data(), sizeof raw);
    return raw;
}

// Closes the driver's descriptor when the driver has taken what it wants.
class Taken {
  public:
    Taken(Exchange& exchange, std::span<const uint8_t> token, Kind kind)
        : object_(exchange.ask(token, kind)) {}
    ~Taken() {
        if (object_ && object_->descriptor >= 0) close(object_->descriptor);
    }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    explicit operator bool() const { return object_.has_value(); }
    const Object* operator->() const { return &*object_; }
    const Object& operator*() const { return *object_; }
    // Holds the memory's charge; false: it is nobody's any more, so the memory is gone too.
    bool hold(Session& s, std::shared_ptr<MemoryTable::Charge>* charge) const {
        if (object_->charge != 0) *charge = s.memory.hold(object_->charge);
        return object_->charge == 0 || *charge != nullptr;
    }
    void* descriptor() const {
        return reinterpret_cast<void*>(static_cast<uintptr_t>(static_cast<unsigned>(object_->descriptor)));
    }

  private:
    const std::optional<Object> object_;
};

std::span<const uint8_t> bytes_of(const Exchange::Token& token) { return {token.data(), token.size()}; }

// Answers with the token of what was offered, or why there is none.
template <typename Message>
void reply_token(Session& s, const Frame& frame, CUresult result,
                 const std::optional<Exchange::Token>& token) {
    if (result == CUDA_SUCCESS && !token) result = CUDA_ERROR_OUT_OF_MEMORY;
    typename Message::Reply reply;
    if (result == CUDA_SUCCESS) reply.token = bytes_of(*token);
    s.reply_with(frame, result, reply);
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::MemoryShare& m) {
    CUresult result = s.enter(frame);
    if (s.driver.cuIpcGetMemHandle == nullptr || s.exchange == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    if (result == CUDA_SUCCESS && s.memory.range_holding(m.address) == nullptr)
        result = CUDA_ERROR_INVALID_VALUE;
    // A handle is of the whole allocation, whatever address of it is given.
    CUdeviceptr base = 0;
    size_t bytes = 0;
    if (result == CUDA_SUCCESS) result = s.driver.cuMemGetAddressRange_v2(&base, &bytes, m.address);
    const MemoryTable::Range* range = s.memory.range_at(base);
    if (result == CUDA_SUCCESS && (range == nullptr || !range->owned)) result = CUDA_ERROR_INVALID_VALUE;
    std::optional<Exchange::Token> token;
    if (result == CUDA_SUCCESS && !(token = s.exchange->offered(Kind::kMemory, base))) {
        CUipcMemHandle raw{};
        result = s.driver.cuIpcGetMemHandle(&raw, m.address);
        Object object;
        object.kind = Kind::kMemory;
        object.bytes = range->bytes;
        keep_raw(&object, raw);
        if (result == CUDA_SUCCESS && s.memory.share(base, &object.charge))
            token = s.exchange->offer(object, base);
    }
    reply_token<msg::MemoryShare>(s, frame, result, token);
}

void serve(Session& s, const Frame& frame, const msg::MemoryOpen& m) {
    CUresult result = s.enter(frame);
    if (s.driver.cuIpcOpenMemHandle_v2 == nullptr || s.exchange == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    msg::MemoryOpen::Reply reply;
    if (result == CUDA_SUCCESS) {
        const Taken taken(*s.exchange, m.token, Kind::kMemory);
        std::shared_ptr<MemoryTable::Charge> charge;
        CUdeviceptr address = 0;
        result = taken && taken.hold(s, &charge)
                     ? s.driver.cuIpcOpenMemHandle_v2(&address, raw_of<CUipcMemHandle>(*taken), m.flags)
                     : CUDA_ERROR_INVALID_HANDLE;
        if (result == CUDA_SUCCESS) {
            const MemoryTable::Range* known = s.memory.range_at(address);
            Session::Opened& opened = s.opened[address];
            if (known == nullptr || opened.count == 0) {  // else it is open already, at the same address
                opened = {0, taken->bytes};
                s.memory.add(address,
                             {taken->bytes, s.current_device(), 0, s.context_name(), false, 0, charge});
            }
            ++opened.count;
            reply = {address, opened.bytes, opened.count > 1};
        }
    }
    s.reply_with(frame, result, reply);
}

void serve(Session& s, const Frame& frame, const msg::MemoryClose& m) {
    CUresult result = s.enter(frame);
    const auto found = s.opened.find(m.address);
    if (result == CUDA_SUCCESS && found == s.opened.end()) result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS) result = s.driver.cuIpcCloseMemHandle(m.address);
    msg::MemoryClose::Reply reply;
    if (result == CUDA_SUCCESS) {
        reply.left = static_cast<uint32_t>(--found->second.count);
        if (reply.left == 0) {
            s.memory.remove_mapped(m.address, found->second.bytes);
            s.opened.erase(found);
        }
    }
    s.reply_with(frame, result, reply);
}

void serve(Session& s, const Frame& frame, const msg::EventShare& m) {
    CUresult result = CUDA_SUCCESS;
    const CUevent event = s.handles.find<CUevent>(m.event, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (s.driver.cuIpcGetEventHandle == nullptr || s.exchange == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    std::optional<Exchange::Token> token;
    if (result == CUDA_SUCCESS && !(token = s.exchange->offered(Kind::kEvent, m.event))) {
        CUipcEventHandle raw{};
        result = s.driver.cuIpcGetEventHandle(&raw, event);
        Object object;
        object.kind = Kind::kEvent;
        keep_raw(&object, raw);
        if (result == CUDA_SUCCESS) token = s.exchange->offer(object, m.event);
    }
    reply_token<msg::EventShare>(s, frame, result, token);
}

void serve(Session& s, const Frame& frame, const msg::EventOpen& m) {
    if (!s.handles.may_name<CUevent>(m.event)) return s.peer_is_wrong(frame, "event");
    CUresult result = s.enter(frame);
    if (s.driver.cuIpcOpenEventHandle == nullptr || s.exchange == nullptr) result = CUDA_ERROR_NOT_SUPPORTED;
    if (result == CUDA_SUCCESS) {
        const Taken taken(*s.exchange, m.token, Kind::kEvent);
        CUevent event = nullptr;
        result = taken ? s.driver.cuIpcOpenEventHandle(&event, raw_of<CUipcEventHandle>(*taken))
                       : CUDA_ERROR_INVALID_HANDLE;
        if (result == CUDA_SUCCESS) s.handles.bind(m.event, event, s.context_name());
    }
    s.reply_status(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::EventNow& m) {
    CUresult result = CUDA_SUCCESS;
    const CUevent event = s.handles.find<CUevent>(m.event, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    msg::EventNow::Reply reply;
    if (result == CUDA_SUCCESS) reply.status = s.driver.cuEventQuery(event);
    if (reply.status == CUDA_SUCCESS) {
        s.announce_changes();
        s.announce_printed();
    }
    s.reply_with(frame, result, reply);
}

void serve(Session& s, const Frame& frame, const msg::AllocationShare& m) {
    CUresult result = CUDA_SUCCESS;
    const auto handle = s.handles.find<CUmemGenericAllocationHandle>(m.handle, &result);
    if (result == CUDA_SUCCESS) result = s.enter_if_alive(frame);
    if (s.driver.cuMemExportToShareableHandle == nullptr || s.exchange == nullptr)
        result = CUDA_ERROR_NOT_SUPPORTED;
    Object object;
    object.kind = Kind::kAllocation;
    if (result == CUDA_SUCCESS)
        result = s.driver.cuMemExportToShareableHandle(&object.descriptor, handle,
                                                       CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, m.flags);
    std::optional<Exchange::Token> token;
    if (result == CUDA_SUCCESS) {
        // The file keeps the memory, so it counts as long as there is one.
        const auto found = s.allocations.find(handle);
        const auto charge = found != s.allocations.end() ? found->second.charge : nullptr;
        if (s.memory.share(charge, &object.charge))
            token = s.exchange->offer(object, 0, charge);
        else
            close(object.descriptor);
    }
    reply_token<msg::AllocationShare>(s, frame, result, token);
}

void serve(Session& s, const Frame& frame, const msg::AllocationOpen& m) {
    CUresult result = s.enter_if_alive(frame);
    if (s.driver.cuMemImportFromShareableHandle == nullptr || s.exchange == nullptr)
        result = CUDA_ERROR_NOT_SUPPORTED;
    msg::AllocationOpen::Reply reply;
    if (result == CUDA_SUCCESS) {
        const Taken taken(*s.exchange, m.token, Kind::kAllocation);
        std::shared_ptr<MemoryTable::Charge> charge;
        CUmemGenericAllocationHandle handle = 0;
        result = taken && taken.hold(s, &charge)
                     ? s.driver.cuMemImportFromShareableHandle(&handle, taken.descriptor(),
                                                               CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
                     : CUDA_ERROR_INVALID_VALUE;
        if (result == CUDA_SUCCESS) {
            const auto [place, fresh] = s.allocations.try_emplace(handle);
            if (fresh)
                place->second.charge = charge;
            else
                ++place->second.references;
            reply.handle = s.handles.name_of(handle, s.context_name());
        }
    }
    s.reply_with(frame, result, reply);
}

void serve(Session& s, const Frame& frame, const msg::PoolShare& m) {
    CUresult result = CUDA_SUCCESS;
    const auto pool = s.handles.find<CUmemoryPool>(m.pool, &result);
    if (result == CUDA_SUCCESS) result = s.enter_if_alive(frame);
    if (s.driver.cuMemPoolExportToShareableHandle == nullptr || s.exchange == nullptr)
        result = CUDA_ERROR_NOT_SUPPORTED;
    Object object;
    object.kind = Kind::kPool;
    if (result == CUDA_SUCCESS)
        result = s.driver.cuMemPoolExportToShareableHandle(&object.descriptor, pool,
                                                           CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, m.flags);
    std::optional<Exchange::Token> token;
    if (result == CUDA_SUCCESS) token = s.exchange->offer(object, 0);
    reply_token<msg::PoolShare>(s, frame, result, token);
}

void serve(Session& s, const Frame& frame, const msg::PoolOpen& m) {
    CUresult result = s.enter_if_alive(frame);
    if (s.driver.cuMemPoolImportFromShareableHandle == nullptr || s.exchange == nullptr)
        result = CUDA_ERROR_NOT_SUPPORTED;
    msg::PoolOpen::Reply reply;
    if (result == CUDA_SUCCESS) {
        const Taken taken(*s.exchange, m.token, Kind::kPool);
        CUmemoryPool pool = nullptr;
        result = taken ? s.driver.cuMemPoolImportFromShareableHandle(
                             &pool, taken.descriptor(), CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, m.flags)
                       : CUDA_ERROR_INVALID_VALUE;
        if (result == CUDA_SUCCESS) reply.pool = s.handles.name_of(pool, s.context_name());
    }
    s.reply_with(frame, result, reply);
}

void serve(Session& s, const Frame& frame, const msg::PoolPointerShare& m) {
    CUresult result = s.enter(frame);
    if (s.driver.cuMemPoolExportPointer == nullptr || s.exchange == nullptr)
        result = CUDA_ERROR_NOT_SUPPORTED;
    const MemoryTable::Range* range = s.memory.range_at(m.address);
    if (result == CUDA_SUCCESS && (range == nullptr || !range->owned)) result = CUDA_ERROR_INVALID_VALUE;
    std::optional<Exchange::Token> token;
    if (result == CUDA_SUCCESS && !(token = s.exchange->offered(Kind::kPoolPointer, m.address))) {
        CUmemPoolPtrExportData raw{};
        result = s.driver.cuMemPoolExportPointer(&raw, m.address);
        Object object;
        object.kind = Kind::kPoolPointer;
        object.bytes = range->bytes;
        keep_raw(&object, raw);
        if (result == CUDA_SUCCESS && s.memory.share(m.address, &object.charge))
            token = s.exchange->offer(object, m.address);
    }
    reply_token<msg::PoolPointerShare>(s, frame, result, token);
}

void serve(Session& s, const Frame& frame, const msg::PoolPointerOpen& m) {
    CUresult result = CUDA_SUCCESS;
    const auto pool = s.handles.find<CUmemoryPool>(m.pool, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (s.driver.cuMemPoolImportPointer == nullptr || s.exchange == nullptr)
        result = CUDA_ERROR_NOT_SUPPORTED;
    msg::PoolPointerOpen::Reply reply;
    if (result == CUDA_SUCCESS) {
        const Taken taken(*s.exchange, m.token, Kind::kPoolPointer);
        std::shared_ptr<MemoryTable::Charge> charge;
        CUdeviceptr address = 0;
        result = CUDA_ERROR_INVALID_VALUE;
        if (taken && taken.hold(s, &charge)) {
            auto raw = raw_of<CUmemPoolPtrExportData>(*taken);
            result = s.driver.cuMemPoolImportPointer(&address, pool, &raw);
        }
        if (result == CUDA_SUCCESS) {
            s.memory.add(address, {taken->bytes, s.current_device(), 0, s.context_name(), true, 0, charge});
            reply = {address, taken->bytes};
        }
    }
    s.reply_with(frame, result, reply);
}

void serve(Session& s, const Frame& frame, const msg::Unshare& m) {
    if (s.exchange != nullptr) s.exchange->withdraw(m.token);
    s.posted(frame, CUDA_SUCCESS);
}

}  // namespace bitfusion::worker
