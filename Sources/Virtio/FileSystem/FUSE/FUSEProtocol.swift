/// The kinds of request; `linux/fuse.h`, `enum fuse_opcode`. One that is not here is answered `ENOSYS`, after which
/// Linux does without it.
enum FUSEOperation: UInt32 {
    case lookUp = 1
    case forget = 2
    case getAttributes = 3
    case setAttributes = 4
    case readLink = 5
    case makeSymbolicLink = 6
    case makeNode = 8
    case makeDirectory = 9
    case unlink = 10
    case removeDirectory = 11
    case rename = 12
    case link = 13
    case open = 14
    case read = 15
    case write = 16
    case statistics = 17
    case release = 18
    case synchronize = 20
    case setExtended = 21
    case getExtended = 22
    case listExtended = 23
    case removeExtended = 24
    case flush = 25
    case initialize = 26
    case openDirectory = 27
    case readDirectory = 28
    case releaseDirectory = 29
    case synchronizeDirectory = 30
    case access = 34
    case create = 35
    case interrupt = 36
    case destroy = 38
    case forgetMany = 42
    case allocate = 43
    case readDirectoryPlus = 44
    case renameWithFlags = 45
    case seek = 46
    case copyRange = 47
    case synchronizeFileSystem = 50

    /// Whether the guest waits for an answer.
    var isAnswered: Bool {
        switch self {
        case .forget, .forgetMany, .interrupt: false
        default: true
        }
    }

    /// Whether it may change what is on the disk. An open file that can be written is judged when it is opened.
    var isChange: Bool {
        switch self {
        case .setAttributes, .makeSymbolicLink, .makeNode, .makeDirectory, .unlink, .removeDirectory, .rename, .link,
            .write, .setExtended, .removeExtended, .create, .allocate, .renameWithFlags, .copyRange:
            true
        default: false
        }
    }

    /// Bytes that an answer has besides its header, at the least. Nothing is begun where the guest has no room for it.
    var leastAnswer: Int {
        switch self {
        case .lookUp, .makeSymbolicLink, .makeNode, .makeDirectory, .link: FUSEReply.entrySize
        case .create: FUSEReply.entrySize + 16
        case .getAttributes, .setAttributes: 104
        case .open, .openDirectory: 16
        case .write, .seek, .copyRange: 8
        case .statistics: 80
        case .initialize: 64
        default: 0
        }
    }
}

/// What guest and server agree on at the start; `linux/fuse.h`, `FUSE_*` of INIT.
struct FUSEFeatures: OptionSet {
    let rawValue: UInt32

    static let asynchronousRead = FUSEFeatures(rawValue: 1 << 0)
    /// O_TRUNC comes with the open.
    static let atomicTruncation = FUSEFeatures(rawValue: 1 << 3)
    static let bigWrites = FUSEFeatures(rawValue: 1 << 5)
    /// Cached pages go when the file's time of change does.
    static let automaticInvalidation = FUSEFeatures(rawValue: 1 << 12)
    static let readDirectoryPlus = FUSEFeatures(rawValue: 1 << 13)
    static let readDirectoryPlusAutomatic = FUSEFeatures(rawValue: 1 << 14)
    static let parallelDirectoryOperations = FUSEFeatures(rawValue: 1 << 18)
    static let mostPages = FUSEFeatures(rawValue: 1 << 22)
    static let cachedSymbolicLinks = FUSEFeatures(rawValue: 1 << 23)
    /// The server takes set-id bits away where a request says so.
    static let killsPrivileges = FUSEFeatures(rawValue: 1 << 28)
    /// SETXATTR has flags of FUSE's own.
    static let extendedSetExtended = FUSEFeatures(rawValue: 1 << 29)

    static let wanted: FUSEFeatures = [
        .asynchronousRead, .atomicTruncation, .bigWrites, .automaticInvalidation, .readDirectoryPlus,
        .readDirectoryPlusAutomatic, .parallelDirectoryOperations, .mostPages, .cachedSymbolicLinks, .killsPrivileges,
        .extendedSetExtended,
    ]
}

/// `struct fuse_in_header`.
struct FUSEHeader {
    /// Bytes of a request's header, and of an answer's.
    static let size = 40
    static let answerSize = 16

    /// Of the request, with the header.
    var length: UInt32 = 0
    var operation: UInt32 = 0
    /// The request's number, which the answer repeats.
    var unique: UInt64 = 0
    var node: UInt64 = 0
    /// On whose behalf.
    var user: UInt32 = 0
    var group: UInt32 = 0
}
