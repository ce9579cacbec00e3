#if arch(x86_64)
    import Linux
    import Virtio

    /// How many of the process's descriptors each shared directory gets: a guest that opens many files must leave enough
    /// for all else that the monitor does.
    struct ShareLimits {
        /// What the monitor keeps for itself.
        static let kept: UInt64 = 512

        private let each: Int

        /// Raises the process's own limit as far as it may, and parts what is left among the directories.
        init(_ count: Int) {
            guard count > 0 else {
                each = 0
                return
            }
            let limit = raiseOpenFileLimit(to: 65536)
            each = Int(clamping: (limit > Self.kept ? limit - Self.kept : 0) / UInt64(count))
        }

        func options(isReadOnly: Bool) -> FileSystem.Options {
            var options = FileSystem.Options()
            options.share.isReadOnly = isReadOnly
            options.share.placeLimit = min(options.share.placeLimit, each / 4)
            // Where there are few, most go to what the guest has open.
            options.share.openLimit = max(16, min(options.share.openLimit, each - options.share.placeLimit))
            return options
        }
    }
#endif
