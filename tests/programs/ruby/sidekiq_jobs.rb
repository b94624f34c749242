# sidekiq: jobs with a delay, retries and failures, cancelled jobs, several queues, and the figures of its web page

require "logger"
require "sidekiq"
require "sidekiq/api"
require "sidekiq/cli"
require "sidekiq/launcher"

SEEN = Queue.new
Sidekiq.logger.level = Logger::FATAL
Sidekiq.configure_server { |config| config.redis = { url: ENV["REDIS_URL"] } }
Sidekiq.configure_client { |config| config.redis = { url: ENV["REDIS_URL"] } }

class Note
  include Sidekiq::Worker
  sidekiq_options queue: "notes"

  def perform(word)
    SEEN << word
  end
end

class Flaky
  include Sidekiq::Worker
  sidekiq_options retry: 3

  @tries = 0
  class << self
    attr_accessor :tries
  end

  def perform(succeeds_at)
    Flaky.tries += 1
    raise "try #{Flaky.tries}" if Flaky.tries < succeeds_at
    SEEN << "after #{Flaky.tries} tries"
  end
end

class Hopeless
  include Sidekiq::Worker
  sidekiq_options retry: 0
  sidekiq_retries_exhausted { |job, error| SEEN << "#{job["class"]} #{job["args"]} #{error.message}" }

  def perform(word)
    raise ArgumentError, "#{word} is hopeless"
  end
end

def wait_until
  sleep 0.01 until yield
end

# What has become due is queued, as Sidekiq's poller does it, only that this one does not wait ten seconds before it begins.
ENQ = Sidekiq::Scheduled::Enq.new
def seen_when_due
  wait_until do
    ENQ.enqueue_jobs
    !SEEN.empty?
  end
  SEEN.pop
end

# Queued before anybody works.
3.times { |i| Note.perform_async("note #{i}") }
Note.perform_in(3600, "never")
at = Time.now.to_f
Sidekiq::Client.push_bulk("class" => Note, "queue" => "notes", "args" => [["bulk 1"], ["bulk 2"]])
never = Note.perform_async("cancelled")
puts "queued #{Sidekiq::Queue.all.map { |queue| [queue.name, queue.size] }} scheduled #{Sidekiq::ScheduledSet.new.size}"
puts "found #{Sidekiq::Queue.new("notes").find_job(never).args} deleted #{Sidekiq::Queue.new("notes").find_job(never).delete}"

Sidekiq.options.merge!(queues: %w[notes default], strict: true, concurrency: 1, timeout: 10)
Sidekiq.options[:fetch] = Sidekiq::BasicFetch.new(Sidekiq.options)
launcher = Sidekiq::Launcher.new(Sidekiq.options)
launcher.run

puts "in order #{5.times.map { SEEN.pop }}"
Note.perform_in(1, "later")
Note.perform_at(at, "at once")
puts "delayed #{2.times.map { seen_when_due }}"
Flaky.perform_async(3)
2.times do |i|
  retries = Sidekiq::RetrySet.new
  wait_until { retries.any? { |job| job["retry_count"] == i } }
  puts "to be retried #{retries.map { |job| [job.klass, job.args, job["error_message"], job["retry_count"]] }}"
  retries.first.reschedule(Time.now)
  ENQ.enqueue_jobs
end
puts "retried #{seen_when_due}"
Hopeless.perform_async("this")
puts "failed #{SEEN.pop}"

stats = nil
wait_until do
  # As the process does it every few seconds.
  Sidekiq::Launcher.flush_stats
  stats = Sidekiq::Stats.new
  stats.processed == 11 && stats.failed == 3
end
puts "processed #{stats.processed} failed #{stats.failed} enqueued #{stats.enqueued} scheduled #{stats.scheduled_size} dead #{stats.dead_size} retries #{stats.retry_size}"
wait_until { Sidekiq::ProcessSet.new.size == 1 }
puts "processes #{Sidekiq::ProcessSet.new.map { |process| process["queues"] }}"
scheduled = Sidekiq::ScheduledSet.new
puts "scheduled #{scheduled.map(&:args)}"
scheduled.first.add_to_queue
puts "added #{SEEN.pop} #{scheduled.size}"
launcher.stop
puts "stopped #{Sidekiq::ProcessSet.new.size}"
Note.perform_async("left")
puts "left #{Sidekiq::Queue.new("notes").map(&:args)}"
puts "cleared #{Sidekiq::Queue.new("notes").clear} #{Sidekiq::Queue.new("notes").size}"
