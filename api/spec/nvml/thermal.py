"""Temperatures and fans."""

fn("nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int *speed)", snapshot("reading"), speed=out())
fn("nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan, unsigned int *speed)",
   snapshot("reading"), fan=each(8), speed=out())
fn("nvmlReturn_t nvmlDeviceGetFanSpeedRPM(nvmlDevice_t device, nvmlFanSpeedInfo_t *fanSpeed)",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetTargetFanSpeed(nvmlDevice_t device, unsigned int fan, unsigned int *targetSpeed)",
   snapshot("reading"), fan=each(8), targetSpeed=out())
fn("nvmlReturn_t nvmlDeviceGetMinMaxFanSpeed(nvmlDevice_t device, unsigned int *minSpeed, unsigned int *maxSpeed)",
   snapshot("facts"), minSpeed=out(), maxSpeed=out())
fn("""nvmlReturn_t nvmlDeviceGetFanControlPolicy_v2(nvmlDevice_t device, unsigned int fan, nvmlFanControlPolicy_t
   *policy)""",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned int *numFans)", snapshot("facts"), numFans=out())
fn("""nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensorType, unsigned int
   *temp)""",
   snapshot("reading"), sensorType=each(1), temp=out())
fn("nvmlReturn_t nvmlDeviceGetCoolerInfo(nvmlDevice_t device, nvmlCoolerInfo_t *coolerInfo)",
   refused("no program is known to read it"))
fn("nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *temperature)", local())
fn("""nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, nvmlTemperatureThresholds_t
   thresholdType, unsigned int *temp)""",
   snapshot("facts"), thresholdType=each(8), temp=out())
fn("nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t device, nvmlMarginTemperature_t *marginTempInfo)",
   snapshot("reading"), marginTempInfo=versioned("nvmlMarginTemperature_v1_t:1"))
fn("""nvmlReturn_t nvmlDeviceGetThermalSettings(nvmlDevice_t device, unsigned int sensorIndex,
   nvmlGpuThermalSettings_t *pThermalSettings)""",
   snapshot("reading"), sensorIndex=each(3), pThermalSettings=out())
fn("nvmlReturn_t nvmlDeviceSetDefaultFanSpeed_v2(nvmlDevice_t device, unsigned int fan)", forbidden())
fn("""nvmlReturn_t nvmlDeviceSetFanControlPolicy(nvmlDevice_t device, unsigned int fan, nvmlFanControlPolicy_t
   policy)""",
   forbidden())
fn("""nvmlReturn_t nvmlDeviceSetTemperatureThreshold(nvmlDevice_t device, nvmlTemperatureThresholds_t
   thresholdType, int *temp)""",
   forbidden())
fn("nvmlReturn_t nvmlDeviceSetFanSpeed_v2(nvmlDevice_t device, unsigned int fan, unsigned int speed)", forbidden())
