import OCI

/// What became of a request that was not refused.
enum Answer: Equatable {
    /// It was done; there is nothing to say.
    case done
    case value(JSON)
}
