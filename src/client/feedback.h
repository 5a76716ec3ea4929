// Feedback: what the client knows of the progress of streams and events without asking.
//
// Every posted call that puts work on a stream touches it: a number that only grows. A stream whose last
// touch is known to have completed is idle, and a synchronisation or query of it is answered here. Events
// carry the mark of their last record; the worker announces marks as they complete, data of copies first
// (docs/wire.md, "announcements"), so an announced completion never overtakes the data that it covers. Any
// thread; the announcements arrive on whichever thread receives.
#pragma once

#include <cstdint>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// ---- streams ----
// Called by everything that puts work on a stream (generated code too), before it is posted.
void touch_stream(CUstream stream);
struct ThreadState;
void touch_stream(CUstream stream, const ThreadState& caller);  // who calls, where that is known already
uint64_t touch_of(CUstream stream);
// Everything up to this touch has completed.
void stream_done(CUstream stream, uint64_t touch);
bool stream_idle(CUstream stream);
// Of all streams together: for context synchronisation.
uint64_t last_touch();
void all_done(uint64_t touch);
bool all_idle();

CUresult synchronize_context(CUcontext context);
// Objects that end with a context: its memory ranges, streams and events.
void forget_objects_of(CUcontext context);

// ---- copies into pinned host memory that are under way ----
// A ticket for `bytes` that will be written at `target`.
uint64_t open_ticket(void* target, size_t bytes);
// Waits until no ticket is open for memory in [begin, begin + bytes).
void await_tickets(const void* begin, size_t bytes);
bool tickets_open(const void* begin, size_t bytes);
// Data of a ticket that come over a lane (lanes.h). claim_ticket says where they go, nullptr when nobody
// asked for them; then they count as being written until ticket_arrived, which also says whether they came
// whole. Any thread.
void* claim_ticket(uint64_t ticket, uint64_t offset, size_t bytes);
void ticket_arrived(uint64_t ticket, size_t bytes, bool whole);
// The worker has sent so many bytes of it, and no more will come: returns when they are there, or the session
// is over; nothing is written any more then, and the ticket is closed.
void await_ticket(uint64_t ticket, uint64_t sent);
// The session is over.
void wake_ticket_waiters();
// A session begins: what an earlier one that was lost still owed will not come.
void forget_tickets();

// ---- events ----
void event_reached(uint64_t event, uint64_t mark, CUresult status);
// A new mark for an event that is about to be recorded by other means than cuEventRecord; 0: there is none
// such.
uint64_t mark_event(CUevent event);
// An event of another process, by cuIpcOpenEventHandle.
void remember_opened_event(CUevent event);

// ---- host functions ----
// Runs on a thread of its own; tells the worker when it is done.
void host_function_due(uint64_t ticket, uint64_t pass, CUresult status);

}  // namespace bitfusion::client
