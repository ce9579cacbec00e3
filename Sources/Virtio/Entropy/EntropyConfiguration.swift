extension Entropy {
    /// The device has no configuration; section 5.4.4.
    public func configuration() -> [UInt8] { [] }
}
