"""How busy a device is."""

fn("nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization)",
   snapshot("reading"), utilization=out())
fn("""nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned int *utilization, unsigned int
   *samplingPeriodUs)""",
   snapshot("reading"), utilization=out(), samplingPeriodUs=out())
fn("""nvmlReturn_t nvmlDeviceGetEncoderCapacity(nvmlDevice_t device, nvmlEncoderType_t encoderQueryType, unsigned
   int *encoderCapacity)""",
   snapshot("facts"), encoderQueryType=each(3), encoderCapacity=out())
fn("""nvmlReturn_t nvmlDeviceGetEncoderStats(nvmlDevice_t device, unsigned int *sessionCount, unsigned int
   *averageFps, unsigned int *averageLatency)""",
   snapshot("reading"), sessionCount=out(), averageFps=out(), averageLatency=out())
fn("""nvmlReturn_t nvmlDeviceGetEncoderSessions(nvmlDevice_t device, unsigned int *sessionCount,
   nvmlEncoderSessionInfo_t *sessionInfos)""",
   refused("virtual GPUs and display are not part of a lease"))
fn("""nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned int *utilization, unsigned int
   *samplingPeriodUs)""",
   snapshot("reading"), utilization=out(), samplingPeriodUs=out())
fn("""nvmlReturn_t nvmlDeviceGetJpgUtilization(nvmlDevice_t device, unsigned int *utilization, unsigned int
   *samplingPeriodUs)""",
   snapshot("reading"), utilization=out(), samplingPeriodUs=out())
fn("""nvmlReturn_t nvmlDeviceGetOfaUtilization(nvmlDevice_t device, unsigned int *utilization, unsigned int
   *samplingPeriodUs)""",
   snapshot("reading"), utilization=out(), samplingPeriodUs=out())
fn("nvmlReturn_t nvmlDeviceGetFBCStats(nvmlDevice_t device, nvmlFBCStats_t *fbcStats)",
   snapshot("reading"), fbcStats=out())
fn("""nvmlReturn_t nvmlDeviceGetFBCSessions(nvmlDevice_t device, unsigned int *sessionCount, nvmlFBCSessionInfo_t
   *sessionInfo)""",
   refused("virtual GPUs and display are not part of a lease"))
