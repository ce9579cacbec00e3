import OCI

/// `/logger`: what is logged, and where.
struct LoggerSettings: Hashable {
    var path: String?
    var level: LogLevel?
    var showsLevel: Bool?
    var showsOrigin: Bool?
    var module: String?

    init() {}

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(
            json, "LoggerConfig", ["log_path", "level", "show_level", "show_log_origin", "module"])
        path = try members.optional("log_path", Value.path)
        level = try members.optional("level") { (json) throws(BodyError) in
            guard let level = LogLevel(try Value.text(json)) else {
                throw BodyError("Invalid LevelFilter", .behindConversion)
            }
            return level
        }
        showsLevel = try members.optional("show_level", Value.truth)
        showsOrigin = try members.optional("show_log_origin", Value.truth)
        module = try members.optional("module", Value.text)
    }
}
