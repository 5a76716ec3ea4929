"""Event sets: the program's own. Events of the server's GPUs are not sent, so that no device supports any type."""

fn("""nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long
   *clocksEventReasons)""",
   snapshot("reading"), clocksEventReasons=out())
fn("""nvmlReturn_t nvmlDeviceGetSupportedClocksEventReasons(nvmlDevice_t device, unsigned long long
   *supportedClocksEventReasons)""",
   snapshot("facts"), supportedClocksEventReasons=out())
fn("nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set)", local())
fn("nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long eventTypes, nvmlEventSet_t set)",
   local("no type of event is supported"))
fn("nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *eventTypes)",
   local("none, as events are not sent to clients"))
fn("nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeoutms)",
   local("ends by its time, as no event comes"))
fn("nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set)", local())
fn("nvmlReturn_t nvmlSystemEventSetCreate(nvmlSystemEventSetCreateRequest_t *request)",
   refused("events are not sent to clients"))
fn("nvmlReturn_t nvmlSystemEventSetFree(nvmlSystemEventSetFreeRequest_t *request)",
   refused("events are not sent to clients"))
fn("nvmlReturn_t nvmlSystemRegisterEvents(nvmlSystemRegisterEventRequest_t *request)",
   refused("events are not sent to clients"))
fn("nvmlReturn_t nvmlSystemEventSetWait(nvmlSystemEventSetWaitRequest_t *request)",
   refused("events are not sent to clients"))
fn("nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeoutms)",
   local("ends by its time, as no event comes"))
