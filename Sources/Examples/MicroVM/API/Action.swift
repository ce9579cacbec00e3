import OCI

/// What a request asks the monitor to do.
enum Action: Equatable {
    // At any time.
    case describeInstance
    case describeVersion
    case describeMachine
    case describeAll
    case describeBalloon
    case describeMetadata
    case setMetadata(JSON)
    case changeMetadata(JSON)

    // Before the start.
    case setBootSource(BootSource)
    case changeMachine(MachineSettings.Update)
    case setDrive(Drive)
    case setNetwork(NetworkInterface)
    case setVsock(VsockDevice)
    case setBalloon(BalloonDevice)
    case setEntropy(EntropyDevice)
    case setMemoryHotplug(MemoryHotplug)
    case setSerial(SerialDevice)
    case setLogger(LoggerSettings)
    case setMetrics(MetricsSettings)
    case setProcessors(ProcessorSettings)
    case configureMetadata(MetadataSettings)
    case loadSnapshot(SnapshotLoading)
    case start

    // While it runs.
    case flushMetrics
    case pressControlAltDelete
    case pause
    case resume
    case createSnapshot(SnapshotCreation)
    case changeDrive(Drive.Update)
    case changeNetwork(NetworkInterface.Update)
    case changeBalloon(amount: UInt32)
    case changeStatistics(interval: UInt16)
    case describeStatistics
    case startHinting(acknowledges: Bool)
    case stopHinting
    case describeHinting
    case describeMemoryHotplug
    /// MiB.
    case changeMemoryHotplug(requested: UInt64)
    case unplug(String)

    /// Part of Firecracker's API, and not of this monitor.
    case missing(String)
}
