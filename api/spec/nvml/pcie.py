"""The PCIe link."""

fn("nvmlReturn_t nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t device, unsigned int *maxLinkGen)",
   snapshot("facts"), maxLinkGen=out())
fn("nvmlReturn_t nvmlDeviceGetGpuMaxPcieLinkGeneration(nvmlDevice_t device, unsigned int *maxLinkGenDevice)",
   snapshot("facts"), maxLinkGenDevice=out())
fn("nvmlReturn_t nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t device, unsigned int *maxLinkWidth)",
   snapshot("facts"), maxLinkWidth=out())
fn("nvmlReturn_t nvmlDeviceGetCurrPcieLinkGeneration(nvmlDevice_t device, unsigned int *currLinkGen)",
   snapshot("reading"), currLinkGen=out())
fn("nvmlReturn_t nvmlDeviceGetCurrPcieLinkWidth(nvmlDevice_t device, unsigned int *currLinkWidth)",
   snapshot("reading"), currLinkWidth=out())
fn("""nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter, unsigned int
   *value)""",
   snapshot("traffic"), counter=each(2), value=out())
fn("nvmlReturn_t nvmlDeviceGetPcieReplayCounter(nvmlDevice_t device, unsigned int *value)",
   snapshot("reading"), value=out())
fn("nvmlReturn_t nvmlDeviceGetPcieLinkMaxSpeed(nvmlDevice_t device, unsigned int *maxSpeed)",
   snapshot("facts"), maxSpeed=out())
fn("nvmlReturn_t nvmlDeviceGetPcieSpeed(nvmlDevice_t device, unsigned int *pcieSpeed)",
   snapshot("reading"), pcieSpeed=out())
