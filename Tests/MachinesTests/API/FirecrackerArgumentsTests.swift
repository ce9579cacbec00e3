import OCI
import Testing

@testable import bulkhead_vm

@Suite struct FirecrackerArgumentsTests {
    private func parse(_ words: String...) throws -> FirecrackerArguments { try FirecrackerArguments(words) }

    private func failure(_ words: String...) -> Failure? {
        do throws(Failure) {
            _ = try FirecrackerArguments(words)
            return nil
        } catch { return error }
    }

    @Test func whatIsNotSaidIsTheDefault() throws {
        let arguments = try parse()
        #expect(arguments.socket == "/run/firecracker.socket" && arguments.id == "anonymous-instance")
        #expect(arguments.hasAPI && arguments.payloadLimit == 51_200 && arguments.job == .run)
    }

    @Test func allArgumentsAreTaken() throws {
        let arguments = try parse(
            "--api-sock", "s", "--id=a-1", "--config-file", "c", "--no-api", "--log-path", "l", "--level", "Warning",
            "--module", "m", "--show-level", "--show-log-origin", "--metrics-path", "p", "--boot-timer", "--no-seccomp",
            "--http-api-max-payload-size", "1000", "--start-time-us", "1", "--start-time-cpu-us", "2",
            "--parent-cpu-time-us", "3", "--", "--whatever")
        #expect(arguments.socket == "s" && arguments.id == "a-1" && arguments.configuration == "c")
        #expect(!arguments.hasAPI && arguments.metrics == "p" && arguments.logsBoot && arguments.payloadLimit == 1000)
        #expect(arguments.logger.path == "l" && arguments.logger.level == .warn && arguments.logger.module == "m")
        #expect(arguments.logger.showsLevel == true && arguments.logger.showsOrigin == true)
        #expect(arguments.startTime == 1 && arguments.startCPUTime == 2 && arguments.parentCPUTime == 3)
        #expect(try parse("--version", "--no-api").job == .printVersion)
    }

    @Test func wrongOnesAreNamed() {
        func message(_ words: String...) -> String? {
            do throws(Failure) {
                _ = try FirecrackerArguments(words)
                return nil
            } catch {
                #expect(error.status == .badArguments)
                return error.message
            }
        }
        #expect(message("--foo")?.contains("Found argument 'foo' which wasn't expected") == true)
        #expect(message("--no-api", "bar")?.contains("Found argument 'bar'") == true)
        #expect(message("--id")?.contains("'id' requires a value") == true)
        #expect(message("--id", "--no-api")?.contains("'id' requires a value") == true)
        #expect(message("--id", "a", "--id", "b")?.contains("'id' was provided more than once") == true)
        #expect(message("--no-api")?.contains("Argument 'config-file' required, but not found") == true)
        #expect(message("--no-seccomp", "--seccomp-filter", "f")?.contains("cannot be used together") == true)
        #expect(message("--id", "a_b")?.contains("Invalid instance ID") == true)
        #expect(message("--http-api-max-payload-size", "many")?.contains("has to be a number") == true)
        #expect(message("--mmds-size-limit", "large")?.contains("has to be a number") == true)
        #expect(failure("--level", "loud")?.status == .badConfiguration)
    }

    @Test func theMetadatasLimitIsThatOfABodyIfNothingElseIsSaid() throws {
        #expect(try FirecrackerArguments([]).metadataLimit == 51_200)
        #expect(try FirecrackerArguments(["--http-api-max-payload-size", "70000"]).metadataLimit == 70_000)
        let both = ["--metadata", "f", "--http-api-max-payload-size", "70000", "--mmds-size-limit", "9"]
        let arguments = try FirecrackerArguments(both)
        #expect(arguments.metadataLimit == 9 && arguments.metadata == "f")
    }

    @Test func aConfigurationFileIsAListOfRequests() throws {
        let json: JSON = [
            "boot-source": ["kernel_image_path": "k"], "drives": [], "network-interfaces": [],
            "machine-config": ["vcpu_count": 2, "mem_size_mib": 64], "logger": ["level": "Debug"], "balloon": nil,
        ]
        let actions = try FirecrackerFile(json).actions
        // The log comes first, so that it has what follows.
        guard actions.count == 3, case .setLogger = actions[0], case .changeMachine = actions[1],
            case .setBootSource = actions[2]
        else {
            Issue.record("\(actions)")
            return
        }
        #expect(throws: BodyError("missing field `drives`")) {
            _ = try FirecrackerFile(["boot-source": ["kernel_image_path": "k"]])
        }
        #expect(throws: BodyError("missing field `boot-source`")) { _ = try FirecrackerFile(["drives": []]) }
        #expect(throws: BodyError.self) { _ = try FirecrackerFile(["drive": []]) }
    }
}
