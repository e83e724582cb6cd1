pattern = Regexp.new(File.read(ARGV[0], encoding: 'UTF-8'))
texts = File.read(ARGV[1], encoding: 'UTF-8').split("\n")
puts texts.map { |text| pattern.match?(text) ? '1' : '0' }.join
